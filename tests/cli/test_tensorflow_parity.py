"""generate and mix on TensorFlow pickles, against pictures that the original code made.

The first z of the reference data is seed 0's. All is done in float32 on both sides, so that a
value at a byte's edge may fall on either side of it.
"""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.main import main

STYLEGANS = ["sg1_32", "sg1_128_fused", "sg1_32_lod", "sg2_skip_32", "sg2_resnet_32"]


def run(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr


def check_equal(path, official):
    with Image.open(path) as picture:
        ours = np.array(picture)
    assert np.abs(ours.astype(int) - official).max() <= 1
    assert (ours == official).mean() > 0.999


@pytest.mark.parametrize("name", STYLEGANS)
def test_truncated_seeds_with_the_files_own_cutoff(name, shared, tmp_path):
    options = ("--seeds", "0", "--truncation-psi", "0.7", "-o", tmp_path)
    run("generate", shared / f"{name}.pkl", *options)
    official = np.load(shared / f"{name}_ref.npz")["images_psi07_u8_nhwc"][0]
    check_equal(tmp_path / "seed0000.png", official)


def test_a_progressive_gan(shared, tmp_path):
    run("generate", shared / "pgan_32.pkl", "--seeds", "0", "-o", tmp_path)
    official = np.load(shared / "pgan_32_ref.npz")["images_psi07_u8_nhwc"][0]
    check_equal(tmp_path / "seed0000.png", official)


@pytest.mark.parametrize("lod", ["0", "0.25", "1", "2", "2.75", "3"])
def test_stages_of_growth(lod, shared, tmp_path):
    reference = np.load(shared / "sg1_32_lod_ref.npz")
    options = ("--seeds", "0", "--lod", lod, "-o", tmp_path)
    run("generate", shared / "sg1_32_lod.pkl", *options)
    official = reference[f"images_w_lod{lod}"][0].transpose(1, 2, 0) * 127.5 + 128
    check_equal(tmp_path / "seed0000.png", official.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("name", STYLEGANS)
def test_mixtures(name, shared, tmp_path):
    reference = np.load(shared / f"{name}_ref.npz")
    for i in range(2):
        np.savez(tmp_path / f"{i}.npz", w=reference["w"][[i]])
    ends = ("--row-w", tmp_path / "1.npz", "--col-w", tmp_path / "0.npz", "--layers", "coarse")
    run("mix", shared / f"{name}.pkl", *ends, "-o", tmp_path / "o")
    official = reference["images_mix"][0].transpose(1, 2, 0) * 127.5 + 128
    expected = official.clip(0, 255).astype(np.uint8)
    check_equal(tmp_path / "o" / "row00-column00.png", expected)
