"""Spectra of generators and of real pictures, and the numbers that are read off them."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import NumericalError, SettingsError
from latentlab.datasets.pictures import open_dataset
from metrics import (
    average_spectrum,
    spectrum_of_generator,
    spectrum_of_pictures,
    spectrum_result,
)
from metrics.aliasing.measured_spectra import generated_pixels, levels_of, real_pixels
from tests.conftest import make_generator, make_progan, make_stylegan3

SMALL = {"resolution": 32}


def test_it_is_the_average_spectrum_of_the_pictures():
    g = make_generator(**SMALL)
    found = spectrum_of_generator(g, 120, 60, 10, seed=2)
    pixels = torch.cat([generated_pixels(g, range(i, i + 4), 2) for i in (0, 4, 8)])[:10]
    expected = average_spectrum([pixels], 120, 60)
    np.testing.assert_allclose(found.spectrum, expected, rtol=1e-6)
    assert found.settings["n"] == 10


def test_parts_are_measured_once_and_go_on():
    g, finished, steps = make_generator(**SMALL), {}, []
    first = spectrum_of_generator(g, 120, 60, 70, finished=finished)
    for part in list(finished):
        if part.start:
            del finished[part]
    again = spectrum_of_generator(
        g, 120, 60, 70, finished=finished, progress=lambda *counts: steps.append(counts)
    )
    assert np.array_equal(first.power, again.power)
    assert np.array_equal(first.single, again.single)
    assert steps[-1] == (70, 70)
    assert len(finished) == 2


def test_real_pictures_are_those_of_the_set():
    reals = open_dataset("builtin:digits")
    mean, std = levels_of(lambda i: real_pixels(reals, i), len(reals))
    pixels = real_pixels(reals, range(1000)).double()
    assert mean == pytest.approx(float(pixels.mean()))
    assert std == pytest.approx(float(pixels.std(correction=0)))
    found = spectrum_of_pictures(reals, mean, std, 20)
    expected = average_spectrum([real_pixels(reals, range(20))], mean, std)
    np.testing.assert_allclose(found.spectrum, expected, rtol=1e-6)


def test_a_set_beside_itself_has_no_excess():
    reals = open_dataset("builtin:digits")
    found = spectrum_of_pictures(reals, 60, 85, 300)
    rows = spectrum_result(found, found).frame().set_index("quantity")
    for name in ("excess in the finest octave", "excess of the grid's peaks"):
        assert rows.loc[name, "value"] == 0
        assert rows.loc[name, "ci_low"] < 0 < rows.loc[name, "ci_high"]


class Fake:
    """A set of pictures made of numbers: noise, of a deviation that is known."""

    resolution, channels, c_dim, fingerprint, left_out = 32, 3, 0, "noise", 0

    def __init__(self, deviation, seed):
        self.deviation, self.seed = deviation, seed

    def __len__(self):
        return 400

    def image(self, index):
        rng = np.random.default_rng([self.seed, index])
        return torch.from_numpy(rng.normal(0, self.deviation, [3, 32, 32])).float()


def test_the_excess_of_noise_is_the_ratio_of_its_powers():
    """Closed form: twice the deviation is 6.02 dB more at all frequencies, and no more peaks."""
    loud, quiet = (spectrum_of_pictures(Fake(0.1 * k, k), 127.5, 30, 400) for k in (2, 1))
    rows = spectrum_result(loud, quiet).frame().set_index("quantity")
    finest = rows.loc["excess in the finest octave"]
    assert finest["value"] == pytest.approx(20 * math.log10(2), abs=0.05)
    assert finest["ci_low"] < 20 * math.log10(2) < finest["ci_high"]
    peaks = rows.loc["excess of the grid's peaks"]
    assert peaks["ci_low"] < 0 < peaks["ci_high"]


def test_intervals_of_the_excess_cover_nothing_where_there_is_none():
    """Sixty pairs of sets of the same noise: a 95 % interval misses about three times."""
    missed = 0
    for seed in range(60):
        sets = [Fake(0.1, 2 * seed + i) for i in (0, 1)]
        found = [spectrum_of_pictures(each, 127.5, 30, 40) for each in sets]
        row = (
            spectrum_result(*found).frame().set_index("quantity").loc["excess in the finest octave"]
        )
        missed += not row["ci_low"] <= 0 <= row["ci_high"]
    assert missed <= 9  # more: once in 500 runs of an honest interval


def test_rows_slices_and_cautions():
    found = spectrum_of_generator(make_stylegan3(), 120, 60, 6)
    result = spectrum_result(found)
    rows = result.frame()
    assert rows["quantity"].tolist() == ["level of the finest octave", "peaks of the pixel grid"]
    assert rows["unit"].unique().tolist() == ["dB"]
    assert rows["better_when"].unique().tolist() == [""]
    assert result.samples["angle"].value_counts().to_dict() == {0: 33, 45: 33}
    assert [note[:20] for note in result.notes] == ["Fewer than 200 pictu"]


def test_resized_pictures_are_told(tmp_path):
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 255, [64, 64, 3], np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    reals = spectrum_of_pictures(open_dataset(str(tmp_path), 16), 120, 60, 2)
    reals = type(reals)(reals.power, reals.single, {**reals.settings, "resized": True}, 0.0)
    mine = spectrum_of_generator(make_stylegan3(), 120, 60, 4)
    result = spectrum_result(mine, reals)
    notes = dict(zip(result.frame()["quantity"], result.frame()["note"], strict=True))
    assert "were resized" in notes["excess in the finest octave"]
    assert "were resized" not in notes["level of the finest octave"]
    assert "were resized" in spectrum_result(reals).frame()["note"][0]


@pytest.mark.parametrize("make", [make_progan, make_stylegan3])
def test_generators_of_other_kinds_are_measured(make):
    assert np.isfinite(spectrum_of_generator(make(), 120, 60, 4).spectrum).all()


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(SettingsError, match="16x16 pixels or more"):
        spectrum_of_generator(make_generator(resolution=8), 120, 60, 4)
    with pytest.raises(NumericalError, match="no deviation"):
        levels_of(lambda i: torch.full([len(i), 3, 16, 16], 7, dtype=torch.uint8), 8)
    broken = make_generator()
    broken.synthesis.b4.const.fill_(math.nan)
    with pytest.raises(NumericalError, match="picture 0 holds NaN"):
        spectrum_of_generator(broken, 120, 60, 4)
