"""The Python that the documentation shows runs, page by page, with smaller numbers."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import latentlab
from tests.conftest import make_generator
from tests.support import pooled
from tests.support.documentation import PAGES, blocks

PAGES_WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]
SMALLER = {
    "num_samples": 8, "num_keep": 4, "num_generated": 2, "steps": 2, "num_latents": 2,
    "num_draws": 3,
}  # fmt: skip


def given() -> dict[str, Any]:
    """Return what the pages take as given: a generator, a distance, and arrays."""
    rng = np.random.default_rng(0)
    return {
        "latentlab": latentlab,
        "g": make_generator(resolution=32),
        "distance": latentlab.perceptual_distance("builtin:digits"),
        "images": torch.rand(2, 3, 32, 32) * 2 - 1,
        "maps": torch.randn(2, 4, 16, 16),
        "z0": torch.randn(4, 6), "z1": torch.randn(4, 6), "t": torch.rand(4),
        "generated_distances": rng.random(20), "real_distances": rng.random(20),
        "real": rng.random((30, 4)), "generated": rng.random((30, 4)),
        "latents": rng.normal(size=(60, 4)), "logits": rng.normal(size=(2, 60)), "num_keep": 30,
        "labels": pd.DataFrame({"smiling": rng.random(60) > 0.5}),
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON)
def test_the_python_of_a_page_runs(page, desk, tmp_path, monkeypatch):
    code = "\n".join(blocks(page, "python"))
    for name, number in SMALLER.items():
        code = re.sub(rf"\b{name}=[\d_]+", f"{name}={number}", code)
    # Inception's weights cannot be fetched.
    code = code.replace('weights="inception.pth"', f'extractor="{pooled.NAME}"')
    monkeypatch.chdir(tmp_path)
    for file in desk.iterdir():
        (tmp_path / file.name).symlink_to(file)
    names = given()
    exec(code, names)
    if page == "README.md":
        assert names["r"].ci_low < names["r"].value < names["r"].ci_high
        with Image.open("projected.png") as picture:
            assert picture.size == (32, 32)
