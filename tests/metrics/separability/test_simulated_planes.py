"""The planes that coverage is simulated with, against those that are measured with."""

import numpy as np

from benchmarks.separability.fits import SPACE, Cell, draw, fits
from benchmarks.separability.machines import fit_newton
from metrics.separability.planes import fit_planes


def test_newton_steps_and_liblinear_divide_alike():
    """Of 12,000 sides at most one in a thousand differs: liblinear stops before its minimum."""
    z, logits = draw(Cell(12, 50, 10), np.random.default_rng(0))
    expected = fit_planes({SPACE: lambda: z}, logits, 600)
    found = fit_newton(SPACE, z, logits, 600, 0)
    for name in ("cells", "held_out"):
        assert (getattr(found, name) != getattr(expected, name)).mean() < 1e-3


def test_a_class_that_some_folds_lack():
    rng = np.random.default_rng(0)
    z, logits = rng.standard_normal([40, 4]).astype(np.float32), np.full([1, 40], 9.0)
    logits[0, 3] = -9
    expected, found = (
        fit_planes({SPACE: lambda: z}, logits, 40),
        fit_newton(SPACE, z, logits, 40, 0),
    )
    np.testing.assert_array_equal(found.cells, expected.cells)
    np.testing.assert_array_equal(found.held_out, expected.held_out)


def test_kept_fits_are_taken_as_they_were(tmp_path):
    cell = Cell(8, 8, 10)
    planes = [fits(cell, 1, folder) for folder in (None, tmp_path, tmp_path)]
    for again in planes[1:]:
        for found, expected in zip(again, planes[0], strict=True):
            np.testing.assert_array_equal(found.cells, expected.cells)
            np.testing.assert_array_equal(found.held_out, expected.held_out)
