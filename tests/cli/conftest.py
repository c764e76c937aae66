"""A small generator, directions of it and projections into it, as the commands leave them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from numpy.typing import NDArray
from PIL import Image

import latentlab
from latentlab import Generator
from latentlab.editing.directions import Directions, save_directions
from latentlab.images import save_image
from latentlab.latents import save_noise, save_ws
from metrics.fidelity_networks import METRICS
from tests.conftest import make_generator
from tests.support.pooled import NAME

# A command keeps its help option from its first use, so that one that is run outside its group
# must be given the group's names for it.
AS_IN_GROUP = {"help_option_names": ["-h", "--help"]}


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch-fidelity takes a stand-in for its networks."""
    for metric in METRICS:
        monkeypatch.setitem(torch_fidelity.utils.DEFAULT_FEATURE_EXTRACTOR, metric, NAME)


SMALL = {"resolution": 32, "z_dim": 16, "w_dim": 12}


@pytest.fixture(scope="session")
def small() -> Generator:
    return make_generator(**SMALL)


@pytest.fixture(scope="session")
def directions() -> Directions:
    rows = torch.linalg.qr(torch.randn(12, 3, generator=torch.Generator().manual_seed(0)))[0].T
    ones = torch.ones(3).double()
    return Directions(("smile", "0", "a/b"), rows.contiguous(), 2 * ones, 0.5 * ones, "svm")


@pytest.fixture(scope="session")
def saved(
    small: Generator, directions: Directions, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with model.safetensors, directions.safetensors and projections/{anna,ben}."""
    folder = tmp_path_factory.mktemp("saved")
    latentlab.save(small, folder / "model.safetensors")
    save_directions(folder / "directions.safetensors", directions)
    for i, name in enumerate(("anna", "ben")):
        place = folder / "projections" / name
        place.mkdir(parents=True)
        rng = torch.Generator().manual_seed(i)
        ws = torch.randn(1, small.num_ws, small.w_dim, generator=rng)
        noise = [torch.randn(shape, generator=rng) for shape in small.synthesis.noise_shapes]
        save_ws(place / "projected_w.npz", ws)
        save_noise(place / "projected_noise.npz", noise)
        save_image(place / "projected.png", small.synthesis(ws, noise=noise)[0])
    return folder


@pytest.fixture(scope="session")
def model(saved: Path) -> Path:
    """The file of the small generator."""
    return saved / "model.safetensors"


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.array(picture)
