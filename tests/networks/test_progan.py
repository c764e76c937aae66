import copy

import pytest
import torch

import latentlab
from latentlab import LatentError
from latentlab.latents import w_statistics
from tests.conftest import make_progan


def test_images_come_from_z_and_labels():
    g = make_progan(c_dim=2)
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    first, second = (g(z, torch.eye(2)[[i] * 3]) for i in (0, 1))
    assert first.shape == (3, 3, 16, 16)
    assert (first - second).abs().max() > 1e-3
    # Labels stand beside z before both are normalised, and so does their length.
    torch.testing.assert_close(g(2 * z, 2 * torch.eye(2)[[0] * 3]), first)


def test_z_may_be_normalised_before_it_meets_its_label():
    """As genforce/genforce does: z to a mean square of one, then both together."""
    g = make_progan(c_dim=2, normalizes_z_first=True)
    z, c = 3 * torch.randn(3, 6), 2 * torch.eye(2)[[0, 1, 0]]
    both = torch.cat([z / z.square().mean(dim=1, keepdim=True).sqrt(), c], dim=1)
    both = both / both.square().mean(dim=1, keepdim=True).sqrt()
    expected = g.synthesis(both[:, None])
    torch.testing.assert_close(g(z, c), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(g(2 * z, c), expected, atol=1e-5, rtol=0)
    assert (g(z, 2 * c) - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    "use",
    [
        lambda g: g.mapping(torch.zeros(1, 6)),
        lambda g: g.num_ws,
        lambda g: g.w_dim,
        lambda g: g.w_mean,
        lambda g: g(torch.zeros(1, 6), truncation_psi=0.7),
        lambda g: g(torch.zeros(1, 6), truncation_cutoff=2),
        lambda g: w_statistics(g),
        lambda g: latentlab.project(g, torch.zeros(1, 3, 16, 16), torch.dist),
    ],
)
def test_what_belongs_to_w_is_refused(use):
    with pytest.raises(LatentError, match=r"^a Progressive GAN has no W"):
        use(make_progan())


@pytest.mark.parametrize("name", ["mapping", "num_ws", "w_dim", "w_mean"])
def test_it_inherits_nothing_of_w(name):
    g = make_progan()
    assert isinstance(g, latentlab.Generator)
    assert not any(name in {*vars(base), *vars(base).get("__annotations__", {})}
                   for base in type(g).__mro__)  # fmt: skip
    with pytest.raises(LatentError, match="has no W"):
        getattr(g, name)


def test_other_names_are_missing_as_usual():
    with pytest.raises(AttributeError, match="hair"):
        _ = make_progan().hair


def test_it_can_be_copied():
    g = make_progan()
    z = torch.zeros(1, 6)
    assert torch.equal(copy.deepcopy(g)(z), g(z))


@pytest.mark.parametrize(
    ("z", "c", "message"),
    [
        (torch.zeros(1, 5), torch.zeros(1, 2), r"`z` must have shape"),
        (torch.zeros(1, 6), None, r"needs `c`"),
        (torch.zeros(1, 6), torch.zeros(2, 2), r"`c` must have shape"),
    ],
)
def test_shapes_that_do_not_fit(z, c, message):
    with pytest.raises(LatentError, match=message):
        make_progan(c_dim=2)(z, c)
