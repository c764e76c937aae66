"""Aligned faces against closed forms, and against a warp by scipy."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from latentlab import ImageError, SettingsError
from latentlab.faces import FacePoints, align, face_points, face_quad, paste_back
from tests.support.faces.drawn import COLOURS, DrawnFace, canonical, centroids, draw

# Sizes of photos and faces: upright, turned, upside down, small, large, at the borders.
FACES = {
    "upright": ((500, 400), DrawnFace(250, 170, 40)),
    "turned": ((500, 400), DrawnFace(250.3, 190.8, 40, 33)),
    "turned back": ((500, 400), DrawnFace(240, 190, 40, -58)),
    "upside down": ((500, 400), DrawnFace(250, 230, 40, 180)),
    "small": ((300, 300), DrawnFace(141.5, 133.25, 17.3, -12)),
    "large": ((1000, 1000), DrawnFace(470, 390, 130, 10)),
    "top left": ((500, 400), DrawnFace(105, 65, 40, 8)),
    "bottom right": ((500, 400), DrawnFace(395, 255, 40, -15)),
    "wider than the photo": ((220, 300), DrawnFace(110, 90, 62, 3)),
}


@pytest.mark.parametrize("name", FACES)
def test_eyes_and_mouth_come_to_the_canonical_places(name: str) -> None:
    size, face = FACES[name]
    picture = align(draw(size, face), face_points(face.points()), 256)
    assert picture.size == (256, 256)
    assert picture.mode == "RGB"
    # Half a pixel is what counting the discs' pixels itself is uncertain by.
    np.testing.assert_allclose(centroids(picture), canonical(256), atol=0.5)


def test_shrinking_first_has_no_offset() -> None:
    """A photo five times finer than the result is averaged down; places stay exact."""
    face = DrawnFace(350, 280, 88, 20)
    picture = align(draw((700, 750), face), face_points(face.points()), 64)
    np.testing.assert_allclose(centroids(picture), canonical(64), atol=0.2)


@pytest.mark.parametrize("seed", range(3))
def test_lopsided_faces_follow_the_similarity(seed: int) -> None:
    """The square of any four points, written with complex numbers."""
    rng = np.random.default_rng(seed)
    points = DrawnFace(200, 150, 30, rng.uniform(-60, 60)).points() + rng.normal(0, 4, (4, 2))
    left, right, left_mouth, right_mouth = points[:, 0] + 1j * points[:, 1]
    v, u = right - left, (left_mouth + right_mouth) / 2 - (left + right) / 2
    x = v - 1j * u
    x *= max(2 * abs(v), 1.8 * abs(u)) / abs(x)
    centre = (left + right) / 2 + 0.1 * u
    corners = np.array([centre + x * (a + 1j * b) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))])
    quad = face_quad(face_points(points))
    np.testing.assert_allclose(quad, np.stack([corners.real, corners.imag], axis=1), atol=1e-9)


def test_an_upright_square_by_hand() -> None:
    points = FacePoints((90, 100), (110, 100), (93, 130), (107, 130))
    # |v| = 20 and |u| = 30: half the side is max(40, 54); the centre is (100, 103).
    expected = [(46, 49), (46, 157), (154, 157), (154, 49)]
    np.testing.assert_allclose(face_quad(points), expected, atol=1e-9)


def test_landmarks_of_all_kinds_give_the_same_points() -> None:
    four = DrawnFace(100, 100, 20, 15).points()
    many = np.random.default_rng(0).normal(0, 100, (68, 2))
    spread = np.array([(-3, 0), (-1, -1), (1, -1), (3, 0), (1, 1), (-1, 1)])  # mean 0
    many[36:42], many[42:48] = four[0] + spread, four[1] + spread
    many[48], many[54] = four[2], four[3]
    five = np.insert(four, 2, (1000, 1000), axis=0)  # the nose does not matter
    wanted = face_points(four).array()
    np.testing.assert_allclose(wanted, four)
    np.testing.assert_allclose(face_points(many).array(), four, atol=1e-12)
    np.testing.assert_allclose(face_points(five).array(), four)


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_pixels_are_those_of_an_independent_warp(degrees: float) -> None:
    face = DrawnFace(260, 200, 25, degrees)
    photo = draw((520, 520), face)
    picture = np.asarray(align(photo, face_points(face.points()), 128), np.float64)
    top_left, bottom_left, _, top_right = face_quad(face_points(face.points()))
    place = (np.arange(128 * 8) + 0.5) / (128 * 8)  # eight samples a pixel and direction
    x, y = (
        top_left[axis]
        + place[None, :] * (top_right - top_left)[axis]
        + place[:, None] * (bottom_left - top_left)[axis]
        for axis in (0, 1)
    )
    pixels = np.asarray(photo, np.float64)
    sampled = [map_coordinates(pixels[:, :, c], [y, x], order=1) for c in range(3)]
    wanted = np.stack(sampled, axis=2).reshape(128, 8, 128, 8, 3).mean((1, 3))
    # Lanczos is sharper than the mean of a pixel's samples, at the discs' edges only.
    assert np.abs(picture - wanted).mean() < 0.6
    assert np.quantile(np.abs(picture - wanted), 0.98) < 5


@pytest.mark.parametrize("name", ["top left", "bottom right", "wider than the photo"])
def test_beyond_the_border_there_is_no_black(name: str) -> None:
    size, face = FACES[name]
    photo = draw(size, face)
    picture = np.asarray(align(photo, face_points(face.points()), 256))
    quad = face_quad(face_points(face.points()))
    assert quad.min() < 0 or (quad.max(0) > size).any()
    brightest = picture.max(2)  # each colour drawn has a channel above 130
    assert brightest.min() >= 130


def test_far_beyond_the_border_is_the_median_colour() -> None:
    face = DrawnFace(60, 12, 20)
    photo = Image.new("RGB", (120, 400), (90, 150, 210))
    top = np.asarray(align(photo, face_points(face.points()), 64))[0]
    np.testing.assert_array_equal(top, np.broadcast_to((90, 150, 210), (64, 3)))


EYE, CORNER = (10.0, 10.0), (12.0, 20.0)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (FacePoints(EYE, EYE, CORNER, (18, 20)), "coincide"),
        (FacePoints(EYE, (20, 10), EYE, (20, 10)), "mouth lies between the eyes"),
        (FacePoints((90, 50), (50, 50), (60, 90), (80, 90)), "swapped"),
        (FacePoints((float("nan"), 10), (20, 10), CORNER, (18, 20)), "NaN"),
        (FacePoints(EYE, (float("inf"), 10), CORNER, (18, 20)), "NaN, infinity"),
        (FacePoints((50, 50), (51, 50), (50, 51), (51, 51)), "side of 4.0 pixels"),
        (FacePoints((-400, 50), (600, 50), (0, 99), (100, 99)), "4000 pixels wide in a 100x90"),
        (FacePoints((210, 50), (230, 50), (210, 70), (230, 70)), "outside the 100x90 picture"),
        (FacePoints((1e300, 50), (-1e300, 5e305), (60, 9e305), (80, 90)), "no picture has"),
    ],
)
def test_absurd_faces_are_refused(points: FacePoints, reason: str) -> None:
    photo = Image.new("RGB", (100, 90), "white")
    with pytest.raises(ImageError, match=reason) as caught:
        align(photo, points, 64)
    assert "\n" not in str(caught.value)


def test_landmarks_of_other_shapes_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"but got \[3, 2\]"):
        face_points(np.zeros((3, 2)))
    with pytest.raises(ImageError, match="NaN"):
        face_points(np.full((68, 2), np.nan))


@pytest.mark.parametrize("name", ["turned", "small", "upside down"])
@pytest.mark.parametrize("size", [256, 700])
def test_an_unchanged_face_restores_its_photo(name: str, size: int) -> None:
    shape, face = FACES[name]
    photo = draw(shape, face)
    points = face_points(face.points())
    pasted = paste_back(photo, align(photo, points, size), face_quad(points))
    before, after = np.asarray(photo, np.float64), np.asarray(pasted, np.float64)
    outside = _depth(shape, face_quad(points)) < 0
    np.testing.assert_array_equal(after[outside], before[outside])
    assert np.abs(after - before)[~outside].mean() < 1.5  # of 255: resampling softens the edges
    np.testing.assert_allclose(centroids(pasted), face.points(), atol=0.3)


def test_near_the_border_the_photo_stays() -> None:
    """The blurred rim of an aligned picture is not pasted."""
    shape, face = FACES["top left"]
    photo = draw(shape, face)
    points = face_points(face.points())
    pasted = paste_back(photo, align(photo, points, 256), face_quad(points))
    difference = np.abs(np.asarray(photo, np.float64) - np.asarray(pasted))
    assert difference[:3].max() <= 3
    assert difference.mean() < 1.5
    blank = np.asarray(paste_back(photo, Image.new("RGB", (64, 64)), face_quad(points)))
    assert blank[100, 60].max() == 0  # while the face itself is


def test_a_pasted_face_fades_in_from_its_square() -> None:
    photo = Image.new("RGB", (300, 300), (200, 200, 200))
    points = face_points(DrawnFace(150, 130, 20, 30).points())
    depth = _depth((300, 300), face_quad(points))
    share = (
        1
        - np.asarray(
            paste_back(photo, Image.new("RGB", (50, 50)), face_quad(points), 0.2), np.float64
        )[:, :, 0]
        / 200
    )
    assert share[depth < 0].max() == 0
    assert share[depth > 0.2].min() == 1
    middle = np.abs(depth - 0.1) < 0.002
    np.testing.assert_allclose(share[middle], 0.5, atol=0.03)


def test_without_feather_the_square_is_filled() -> None:
    photo = Image.new("RGB", (300, 300), (200, 200, 200))
    points = face_points(DrawnFace(150, 130, 20, 30).points())
    depth = _depth((300, 300), face_quad(points))
    pasted = np.asarray(paste_back(photo, Image.new("RGB", (50, 50)), face_quad(points), 0))
    assert pasted[depth > 0].max() == 0
    assert pasted[depth < 0].min() == 200
    with pytest.raises(SettingsError, match="feather"):
        paste_back(photo, photo, face_quad(points), 0.6)


def _depth(size: tuple[int, int], quad: np.ndarray) -> np.ndarray:
    """How deep each pixel [H,W] lies in a square, in shares of its side; negative outside."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    place = np.stack([x, y], axis=2) - quad[0]
    edges = [quad[3] - quad[0], quad[1] - quad[0]]
    shares = np.stack([place @ edge / (edge @ edge) for edge in edges], axis=2)
    return np.minimum(shares, 1 - shares).min(2)


def test_the_drawn_colours_are_told_apart() -> None:
    """Of the tests above: a disc that is not there is not found."""
    assert np.isnan(centroids(Image.new("RGB", (50, 50), (224, 196, 172)))).all()
    assert len(set(COLOURS.values())) == 4
