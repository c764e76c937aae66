"""Pictures that are fine, yet of an unusual kind: i15 and i20 of what a reader must survive."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import project
from latentlab.datasets.pictures import open_dataset
from latentlab.errors import ImageError
from latentlab.images import load_image
from tests.conftest import make_discriminator, make_generator
from tests.support.picture_bytes import noise


def squared(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first - second).square().mean(dim=[1, 2, 3])


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(1, 1, r"1x1 would be enlarged 16\.0 times"), (1, 4000, r"1x4000 would be enlarged 16\.0 t"),
     (4000, 3, r"4000x3 would be enlarged 5\.3 times")],
)  # fmt: skip
def test_i15_pictures_too_narrow_are_refused_unless_enlarging_is_allowed(
    tmp_path: Path, width: int, height: int, reason: str
) -> None:
    path = tmp_path / "narrow.png"
    Image.new("RGB", (width, height), (255, 0, 0)).save(path)
    with pytest.raises(ImageError, match=reason):
        load_image(path, 16)
    red = torch.tensor([1.0, -1.0, -1.0])[:, None, None].expand(3, 16, 16)
    assert torch.equal(load_image(path, 16, max_upscale=16), red)


def test_i20_grey_pictures_train_and_project_as_equal_channels_of_colour(tmp_path: Path) -> None:
    for i in range(3):
        Image.fromarray(noise(16, 16, seed=i)[:, :, 0]).save(tmp_path / f"{i}.png")
    dataset = open_dataset(str(tmp_path))
    assert (len(dataset), dataset.channels, dataset.resolution) == (3, 3, 16)
    for i in range(3):
        image = dataset.image(i)
        expected = noise(16, 16, seed=i)[:, :, 0] / 127.5 - 1
        np.testing.assert_allclose(image.numpy(), np.stack([expected] * 3), atol=1e-6)
    grey = open_dataset(str(tmp_path), channels=1)
    assert torch.equal(grey.image(0), dataset.image(0)[:1])


@pytest.mark.parametrize("level", [0, 127, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_i20_pictures_of_one_value_project_to_finite_latents(
    tmp_path: Path, level: int, channels: int
) -> None:
    path = tmp_path / "flat.png"
    Image.new("L", (16, 16), level).save(path)
    image = load_image(path, 16, channels)
    torch.testing.assert_close(image, torch.full([channels, 16, 16], level / 127.5 - 1))

    g = make_generator(channels=channels)
    found = project(g, image[None], squared, steps=8)
    assert bool(torch.isfinite(found.ws).all())
    assert all(bool(torch.isfinite(noise).all()) for noise in found.noise)
    assert np.isfinite(found.history["distance"]).all()
    assert float(found.distance) < float(found.start_distance)


@pytest.mark.parametrize("level", [0, 255])
def test_i20_a_discriminator_scores_a_set_of_equal_pictures(tmp_path: Path, level: int) -> None:
    for i in range(4):
        Image.new("RGB", (16, 16), (level,) * 3).save(tmp_path / f"{i}.png")
    dataset = open_dataset(str(tmp_path))
    images = torch.stack([dataset.image(i) for i in range(4)]).requires_grad_(True)
    scores = make_discriminator()(images, torch.zeros(4, 0))  # its last layers divide by deviations
    (slope,) = torch.autograd.grad(scores.sum(), images)
    assert bool(torch.isfinite(scores).all())
    assert bool(torch.isfinite(slope).all())
