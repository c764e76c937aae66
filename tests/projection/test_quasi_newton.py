"""L-BFGS directions against the full method's matrix, and on a quadratic form."""

import numpy as np
import pytest
import torch

from latentlab.projection.quasi_newton import QuasiNewton


def form(size=6):
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(size, size, generator=rng, dtype=torch.float64)
    return root @ root.t() + torch.eye(size, dtype=torch.float64), rng


def test_directions_are_those_of_the_full_matrix():
    """H <- V' H V + s s' / y's, V = I - y s' / y's, from H = s'y / y'y of the last step."""
    curvature, rng = form()
    taught, steps = QuasiNewton(), torch.randn(4, 6, generator=rng, dtype=torch.float64)
    for step in steps:
        taught.learn(step, curvature @ step)
    pairs = [(s.numpy(), (curvature @ s).numpy()) for s in steps]
    s, y = pairs[-1]
    inverse = np.eye(6) * (s @ y) / (y @ y)
    for s, y in pairs:
        v = np.eye(6) - np.outer(y, s) / (s @ y)
        inverse = v.T @ inverse @ v + np.outer(s, s) / (s @ y)
    gradient = torch.randn(6, generator=rng, dtype=torch.float64)
    expected = -inverse @ gradient.numpy()
    assert taught.direction(gradient).numpy() == pytest.approx(expected, rel=1e-9)


def test_a_step_of_no_curvature_teaches_nothing():
    taught, one = QuasiNewton(), torch.ones(3)
    taught.learn(one, -one)
    taught.learn(one, 0 * one)
    assert len(taught) == 0
    assert taught.direction(2 * one).norm().item() == pytest.approx(0.1)
    taught.learn(one, 4 * one)
    assert taught.direction(one).tolist() == pytest.approx([-0.25] * 3)
    taught.forget()
    assert len(taught) == 0
