"""Noise maps that the penalty has nothing against."""

import pytest
import torch

from latentlab.projection.noise import noise_penalty
from latentlab.projection.uncorrelated import Tangent, uncorrelated


def maps(sizes=(4, 8, 16, 32)):
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(1, 1, size, size, generator=rng) for size in sizes]


def test_white_noise_moves_little_and_has_no_penalty():
    noise = maps()
    found = uncorrelated(noise)
    assert noise_penalty(noise).item() > 1e-3
    for before, after in zip(noise, found, strict=True):
        assert noise_penalty([after]).item() < 1e-12  # squares of float32 rounding
        assert after.mean().item() == pytest.approx(0, abs=1e-6)
        assert after.square().mean().item() == pytest.approx(1, abs=1e-6)
        assert (after - before).square().mean().item() < 0.2
    assert all(map(torch.equal, uncorrelated(found), found))  # they are there


def test_moves_along_the_surface_leave_it_to_second_order_alone():
    noise = [level.double() for level in uncorrelated(maps((8, 16, 20)))]
    moves = Tangent(noise)([level.flip(3) for level in noise])
    off = []
    for share in (1e-2, 1e-3):
        moved = [a + share * b for a, b in zip(noise, moves, strict=True)]
        off.append(noise_penalty(moved).item() ** 0.5)
    assert off[1] < off[0] / 50  # a hundredth, for a tenth of the move


def test_a_map_that_cannot_get_there_is_normalised_alone():
    flat, slope = torch.full((1, 1, 8, 8), 3.0), torch.arange(64.0).view(1, 1, 8, 8)
    found = uncorrelated([flat, slope])
    assert not found[0].any()
    assert found[1].square().mean().item() == pytest.approx(1, abs=1e-6)


def test_a_move_is_brought_back_to_the_surface():
    noise = uncorrelated(maps((8, 16, 16, 20)))
    surface = Tangent(noise)
    rng = torch.Generator().manual_seed(1)
    for size in (0.01, 0.1, 3):  # from the last, known directions do not lead back
        moves = [torch.randn(level.shape, generator=rng) * size for level in noise]
        moved = [a + b for a, b in zip(noise, surface(moves), strict=True)]
        found = surface.settled(moved)
        assert noise_penalty(found).item() < 1e-12
        assert all(abs(level.mean().item()) < 1e-6 for level in found)
        if size < 1:
            nearest = uncorrelated(moved)
            for one, other, before in zip(found, nearest, moved, strict=True):
                # To first order in the move, the way back is as short as it can be.
                assert (one - before).norm() < (1 + 10 * size) * (other - before).norm()
    assert torch.isnan(surface.settled([level * torch.nan for level in noise])[0]).all()
