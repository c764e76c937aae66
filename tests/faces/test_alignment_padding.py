"""What an aligned picture shows beyond its photo, against the recipe in float64 with scipy."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from latentlab.faces import align, face_points, face_quad
from tests.support.faces.drawn import DrawnFace, draw

SIZE, FINER = 128, 4


@pytest.mark.parametrize(
    ("size", "face"),
    [
        ((500, 400), DrawnFace(105, 65, 40, 8)),
        ((500, 400), DrawnFace(395, 255, 40, -15)),
        ((180, 400), DrawnFace(80, 170, 40, 30)),
        ((500, 400), DrawnFace(158, 180, 40, 0)),
    ],
)
def test_it_is_mirrored_blurred_and_fades_to_the_median(
    size: tuple[int, int], face: DrawnFace
) -> None:
    photo = _patchwork(size)
    aligned = np.asarray(align(photo, face_points(face.points()), SIZE), np.float64)
    wanted, beyond = _by_the_recipe(np.asarray(photo, np.float64), face)
    difference = np.abs(aligned - wanted).mean(2)
    for zone in (beyond <= -1 / 3, (beyond > -1 / 3) & (beyond <= 0), beyond > 0):
        assert zone.any()
        assert difference[zone].mean() < 1.0  # of 255; Pillow's blur is three boxes


def _patchwork(size: tuple[int, int]) -> Image.Image:
    """A photo with contrasts that the blur leaves, and a median unlike its mean."""
    shares = np.random.default_rng(5).random((size[1] // 12, size[0] // 12, 3)) ** 3
    small = Image.fromarray((255 * shares).astype(np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def test_padding_takes_bytes_not_floats() -> None:
    """Faces that fill a photo of a phone are padded in less memory than its floats have."""
    face = DrawnFace(600, 450, 150, 20)
    photo = draw((1200, 900), face)
    points = face_points(face.points())
    side = float(np.hypot(*(face_quad(points)[3] - face_quad(points)[0])))
    tracemalloc.start()
    align(photo, points, 400)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * (2.2 * side) ** 2  # NumPy's share; three channels of floats, or less


def _by_the_recipe(photo: np.ndarray, face: DrawnFace) -> tuple[np.ndarray, np.ndarray]:
    """Return the aligned picture, and how far each pixel lies in the padding, as a share of it."""
    corners = face_quad(face_points(face.points()))
    side = np.hypot(*(corners[3] - corners[0]))
    low, high = np.floor(corners.min(0) + 0.5), np.ceil(corners.max(0) + 0.5)
    border = max(round(0.1 * side), 3)
    height, width = photo.shape[:2]
    start = np.maximum(low - border, 0).astype(int)  # the crop
    end = np.minimum(high + border, (width, height)).astype(int)
    cropped = photo[start[1] : end[1], start[0] : end[0]]
    least = round(0.3 * side)
    before = np.maximum(start - low + border, least).astype(int)
    after = np.maximum(high - end + border, least).astype(int)
    columns, left = _mirrored(cropped.shape[1], before[0], after[0])
    rows, top = _mirrored(cropped.shape[0], before[1], after[1])
    beyond = np.maximum(left[None, :], top[:, None])
    wide = cropped[rows][:, columns]
    blurred = gaussian_filter(wide, (0.02 * side, 0.02 * side, 0))
    wide = wide + (blurred - wide) * np.clip(3 * beyond + 1, 0, 1)[:, :, None]
    median = np.median(wide, axis=(0, 1))
    wide = wide + (median - wide) * np.clip(beyond, 0, 1)[:, :, None]
    place = (np.arange(SIZE * FINER) + 0.5) / (SIZE * FINER)
    quad = corners - start + before
    x, y = (
        quad[0, axis]
        + place[None, :] * (quad[3] - quad[0])[axis]
        + place[:, None] * (quad[1] - quad[0])[axis]
        for axis in (0, 1)
    )
    layers = [*np.moveaxis(wide, 2, 0), beyond]
    sampled = [map_coordinates(layer, [y, x], order=1) for layer in layers]
    means = np.stack(sampled, 2).reshape(SIZE, FINER, SIZE, FINER, 4).mean((1, 3))
    return means[:, :, :3], means[:, :, 3]


def _mirrored(length: int, before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixel of ``length`` each of a padded line shows, and its share of the margin."""
    place = np.arange(-before, length + after)
    period = 2 * (length - 1)
    index = np.abs((place + period // 2) % period - period // 2)
    first, last = place + before, length + after - 1 - place
    return index, np.maximum(1 - first / before, 1 - last / after)


def test_one_colour_stays_one_colour() -> None:
    photo = Image.new("RGB", (120, 90), (200, 20, 90))
    aligned = np.asarray(align(photo, face_points(DrawnFace(20, 20, 12, 40).points()), 64))
    np.testing.assert_array_equal(aligned, np.broadcast_to((200, 20, 90), (64, 64, 3)))
