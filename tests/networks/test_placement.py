"""Where the pictures of a StyleGAN3 lie: matrices, moving, and the anchor."""

import math

import numpy as np
import pytest
import torch

from latentlab import LatentError, SettingsError
from latentlab.networks.placement import inverse_of, placement_matrix
from tests.conftest import (
    make_fastgan,
    make_generator,
    make_lucidrains,
    make_progan,
    make_stylegan1,
    make_stylegan3,
    make_stylegan_xl,
)

RADIAL = {"conv_kernel": 1, "use_radial_filters": True}  # config R
FINE = {"resolution": 32, "num_layers": 6, "num_critical": 2, "first_cutoff": 2.0,
        "first_stopband": 2**2.1, "margin_size": 10, "channel_base": 256}  # fmt: skip
EXACT = 1e-12  # absolute, float64


def ws_of(g, n=2, seed=0):
    z = torch.from_numpy(np.random.default_rng(seed).standard_normal([n, g.z_dim]))
    c = torch.eye(g.c_dim, dtype=z.dtype)[:n] if g.c_dim else None
    return g.mapping(z, c)


def upright(g, ws):
    """Images as they are; the small networks of tests have a transform of their own."""
    with g.synthesis.moved(placement_matrix()):
        return g.synthesis(ws)


def spun(angle):
    """The published matrix of a turn by radians: rows (cos, sin), (-sin, cos)."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], dtype=torch.float64)


def test_a_matrix_turns_first_and_then_shifts():
    matrix = placement_matrix((0.3, -0.2), 30)
    shift = torch.tensor([[1, 0, 0.3], [0, 1, -0.2], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(matrix, shift @ spun(math.radians(30)), atol=EXACT, rtol=0)
    torch.testing.assert_close(inverse_of(matrix) @ matrix, torch.eye(3).double())


def test_a_turn_is_against_the_clock():
    """What is at the right comes to the top: y runs down."""
    right = torch.tensor([0.5, 0, 1], dtype=torch.float64)
    assert (placement_matrix(rotate=90) @ right).round(decimals=9).tolist() == [0, -0.5, 1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, "1", None])
def test_a_matrix_takes_finite_numbers(bad):
    with pytest.raises(SettingsError, match="`translate`"):
        placement_matrix((bad, 0))
    with pytest.raises(SettingsError, match="`rotate`"):
        placement_matrix(rotate=bad)


@pytest.mark.parametrize("matrix", [
    torch.eye(2), torch.zeros(3, 3), torch.full((3, 3), math.nan), torch.ones(1, 1, 3, 3),
    torch.diag(torch.tensor([1.0, 1e-320, 1.0], dtype=torch.float64)),
])  # fmt: skip
def test_a_matrix_that_cannot_be_undone_is_refused_and_nothing_changes(matrix):
    g = make_stylegan3()
    ws = ws_of(g)
    before = g.synthesis(ws)
    with pytest.raises(LatentError, match="`matrix` must"), g.synthesis.moved(matrix):
        pass
    assert torch.equal(g.synthesis(ws), before)


def test_a_picture_moves_right_and_down_by_whole_pixels():
    """Away from the edges a shift by pixels is exact: every layer is sampled at its own rate."""
    g = make_stylegan3(**RADIAL, **FINE).double()
    ws = ws_of(g)
    plain = upright(g, ws)
    with g.synthesis.moved(placement_matrix((0.25, 0.125))):
        moved = g.synthesis(ws)
    # What the margins cannot hold comes in at the edges: compared is the middle.
    apart = moved[..., 8:-8, 12:-8] - plain[..., 4:-12, 4:-16]
    assert apart.abs().max() < 0.1 * (plain.amax() - plain.amin())
    assert apart.abs().max() < 0.2 * (moved - plain)[..., 8:-8, 12:-8].abs().max()


def test_a_right_angle_is_exact_in_config_r():
    g = make_stylegan3(**RADIAL).double()
    ws = ws_of(g)
    with g.synthesis.moved(placement_matrix(rotate=90)):
        turned = g.synthesis(ws)
    torch.testing.assert_close(turned, upright(g, ws).rot90(1, [2, 3]), atol=EXACT, rtol=0)


def test_it_is_the_inverse_in_the_input_that_moves_the_picture():
    g = make_stylegan3().double()
    ws, matrix = ws_of(g), placement_matrix((0.1, 0.2), 25)
    with g.synthesis.moved(matrix):
        moved = g.synthesis(ws)
    g.synthesis.input.set_transform(torch.from_numpy(np.linalg.inv(matrix.numpy())))
    torch.testing.assert_close(g.synthesis(ws), moved, atol=EXACT, rtol=0)


def test_each_sample_may_have_its_own():
    g = make_stylegan3().double()
    ws, both = ws_of(g), [placement_matrix((0.1, 0)), placement_matrix(rotate=40)]
    with g.synthesis.moved(torch.stack(both)):
        together = g.synthesis(ws)
    for i, matrix in enumerate(both):
        with g.synthesis.moved(matrix):
            alone = g.synthesis(ws[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=EXACT, rtol=0)


def test_it_lasts_no_longer_than_the_block_whatever_ends_it():
    g = make_stylegan3()
    ws = ws_of(g)
    before, weights = g.synthesis(ws), {k: v.clone() for k, v in g.state_dict().items()}
    with g.synthesis.moved(placement_matrix((0.3, 0))):
        first = g.synthesis(ws)
        with pytest.raises(ZeroDivisionError), g.synthesis.moved(placement_matrix(rotate=10)):
            _ = 1 / int(torch.equal(g.synthesis(ws), first))
        assert torch.equal(g.synthesis(ws), first)
    assert torch.equal(g.synthesis(ws), before)
    assert all(torch.equal(value, weights[key]) for key, value in g.state_dict().items())


@pytest.mark.parametrize("make", [make_stylegan3, make_stylegan_xl])
def test_the_anchor_sets_the_first_row_alone(make):
    g = make()
    ws = ws_of(g)
    anchored = g.anchored(ws)
    assert torch.equal(anchored[:, 0], g.w_mean.expand(2, -1).to(ws))
    assert torch.equal(anchored[:, 1:], ws[:, 1:])
    assert anchored.shape == ws.shape
    # Features of the input, which say where everything lies, are the same whatever the w.
    places = [g.synthesis.input(w[:, 0]) for w in (anchored, g.anchored(ws_of(g, seed=1)))]
    assert torch.equal(places[0], places[1])


@pytest.mark.parametrize("make", [make_generator, make_stylegan1, make_lucidrains])
def test_networks_without_such_an_input_refuse(make):
    g = make()
    ws = torch.zeros(1, g.num_ws, g.w_dim)
    for attempt in (lambda: g.anchored(ws), lambda: g.synthesis.moved(torch.eye(3))):
        with pytest.raises(LatentError, match="only StyleGAN3 and StyleGAN-XL"):
            attempt()


@pytest.mark.parametrize("make", [make_progan, make_fastgan])
def test_those_without_w_refuse_as_well(make):
    with pytest.raises(LatentError, match="only StyleGAN3 and StyleGAN-XL"):
        make().synthesis.moved(torch.eye(3))


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 6, 4), (6, 5)])
def test_the_anchor_takes_all_rows(shape):
    with pytest.raises(LatentError, match="`ws` must have shape"):
        make_stylegan3().anchored(torch.zeros(shape))
