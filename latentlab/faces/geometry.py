"""Where a face lies in a picture, and the square that the FFHQ pictures show of it.

Coordinates are (x, y) in pixels of the upright picture, with whole numbers at pixel centres.
The rule is that of FFHQ (Karras et al., 2019, "A Style-Based Generator Architecture for
Generative Adversarial Networks", appendix A): eyes and mouth corners decide.
"""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentlab.errors import ImageError, SettingsError

Point = tuple[float, float]
Quad = NDArray[np.float64]

_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)  # of the 68 points
_LEFT_MOUTH, _RIGHT_MOUTH = 48, 54
_ROWS = {4: (0, 1, 2, 3), 5: (0, 1, 3, 4)}  # of five points the third is the nose

_BY_EYES, _BY_MOUTH = 2.0, 1.8  # half the square's side is the larger of these multiples
_DOWN = 0.1  # of the way from the eyes to the mouth lies the centre
_FARTHEST = 1e7  # pixels
_COINCIDE = 0.02  # of the distance from eyes to mouth


@dataclass(frozen=True)
class FacePoints:
    """The four points that decide; left and right are the picture's, not the person's.

    Attributes:
        left_eye: Centre of the eye at the picture's left.
        right_eye: Centre of the other eye.
        left_mouth: Mouth corner at the picture's left.
        right_mouth: The other corner.
    """

    left_eye: Point
    right_eye: Point
    left_mouth: Point
    right_mouth: Point

    def array(self) -> NDArray[np.float64]:
        """Return [4,2]: left eye, right eye, left mouth corner, right mouth corner."""
        return np.array(astuple(self), np.float64)


def face_points(landmarks: ArrayLike) -> FacePoints:
    """Reduce landmarks to the points that decide.

    Args:
        landmarks: [68,2] in the order of the 300-W annotation, where an eye's centre is the mean
            of its six contour points; or [4,2], left eye, right eye, left and right mouth corner;
            or [5,2], with the nose between eyes and mouth. Left is the picture's left.

    Raises:
        SettingsError: If the shape is another.
        ImageError: If a number is not finite.
    """
    array = np.asarray(landmarks, np.float64)
    if array.shape not in ((68, 2), (4, 2), (5, 2)):
        raise SettingsError(
            f"landmarks are [68,2], [5,2] or [4,2] numbers, but got {list(array.shape)}"
        )
    if not np.isfinite(array).all():
        raise ImageError("the landmarks hold NaN or infinity; leave out faces without landmarks")
    if len(array) == 68:
        eyes = [array[_LEFT_EYE].mean(0), array[_RIGHT_EYE].mean(0)]
        points = [*eyes, array[_LEFT_MOUTH], array[_RIGHT_MOUTH]]
    else:
        points = [array[row] for row in _ROWS[len(array)]]
    return FacePoints(*((float(x), float(y)) for x, y in points))


def face_quad(points: FacePoints) -> Quad:
    """Return the square [4,2] around a face: top left, bottom left, bottom right, top right.

    With v from the left to the right eye and u from the eyes' middle to the mouth's, its
    horizontal direction is that of v - rot90(u), half its side max(2.0 |v|, 1.8 |u|), and its
    centre the eyes' middle + 0.1 u.

    Raises:
        ImageError: If the points are not those of a face.
    """
    if not (np.abs(points.array()) < _FARTHEST).all():
        raise ImageError("the face's points hold NaN, infinity, or places no picture has")
    middle, across, down = _directions(points)
    _check_face(across, down)
    x = across + np.array([down[1], -down[0]])
    x *= face_size(points) / 2 / np.hypot(*x)
    y = np.array([-x[1], x[0]])
    centre = middle + _DOWN * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def face_size(points: FacePoints) -> float:
    """Return the side of a face's square in pixels, even where the points are no face."""
    _, across, down = _directions(points)
    return 2 * float(max(_BY_EYES * np.hypot(*across), _BY_MOUTH * np.hypot(*down)))


def side_of(quad: Quad) -> float:
    """Return the side of a square in pixels."""
    return float(np.hypot(*(quad[3] - quad[0])))


def _directions(points: FacePoints) -> tuple[NDArray[np.float64], ...]:
    """Return the eyes' middle, the way from eye to eye, and that from the middle to the mouth's."""
    left, right, *mouth = points.array()
    middle = (left + right) / 2
    return middle, right - left, np.mean(mouth, axis=0) - middle


def _check_face(across: NDArray[np.float64], down: NDArray[np.float64]) -> None:
    between, height = np.hypot(*across), np.hypot(*down)
    if between <= _COINCIDE * height:
        raise ImageError("the eyes coincide; a face seen from the side cannot be aligned")
    if height <= _COINCIDE * between:
        raise ImageError("the mouth lies between the eyes; check the landmarks' order")
    if across[0] * down[1] <= across[1] * down[0]:
        raise ImageError(
            "the eyes are swapped; left is the picture's left, not the person's: swap the names"
        )
