"""Products with a Jacobian against finite differences in float64."""

import pytest
import torch

from latentlab.projection.linearisation import Linearisation, dot
from tests.conftest import make_generator, make_stylegan1, make_stylegan3


@pytest.mark.parametrize("make", [make_generator, make_stylegan1, make_stylegan3])
def test_products_are_those_of_finite_differences(make):
    g = make().double()
    rng = torch.Generator().manual_seed(0)
    draw = lambda shape: torch.randn(shape, generator=rng, dtype=torch.float64)  # noqa: E731
    point = [draw([1, g.num_ws, g.w_dim]), *(draw(s) for s in g.synthesis.noise_shapes)]
    for layer in g.synthesis.noise_layers:
        layer.noise_strength.data.fill_(0.3)

    def residuals(parts):
        return g.synthesis(parts[0], noise=list(parts[1:])).reshape(-1)

    line = Linearisation(residuals, point)
    v = [draw(part.shape) for part in point]
    size = 1e-8  # hardly any activation changes its side
    with torch.no_grad():
        ahead, behind = (
            residuals([p + s * d for p, d in zip(point, v, strict=True)]) for s in (size, -size)
        )
    slope = (ahead - behind) / (2 * size)
    along = line.along(v)
    # The rounding of values up to 3 in float64, over twice the step.
    torch.testing.assert_close(along, slope, atol=1e-6 * float(slope.abs().max()), rtol=0)
    u = draw(along.shape)
    assert dot([along], [u]) == pytest.approx(dot(v, line.back(u)), rel=1e-10)


def test_a_part_that_nothing_depends_on_adds_nothing():
    line = Linearisation(lambda parts: parts[0] * 2, [torch.ones(3), torch.ones(4)])
    assert line.along([torch.ones(3), torch.ones(4)]).tolist() == [2, 2, 2]
    assert [part.tolist() for part in line.back(torch.ones(3))] == [[2, 2, 2], [0, 0, 0, 0]]
