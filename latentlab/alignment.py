"""Cutting a face out of a photo as the FFHQ pictures show theirs, and putting it back.

Published aligned pictures come from the same geometry; see ``face_geometry``.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from latentlab.alignment_record import Alignment, load_alignment, save_alignment
from latentlab.errors import ImageError, SettingsError
from latentlab.face_geometry import FacePoints, Quad, face_points, face_quad, side_of

__all__ = [
    "Alignment",
    "FacePoints",
    "align",
    "check_quad",
    "face_points",
    "face_quad",
    "load_alignment",
    "paste_back",
    "save_alignment",
    "side_of",
]

_SMALLEST, _LARGEST = 16.0, 8.0  # a side in pixels; a side in multiples of the picture's
_FINER, _FINEST = 4, 4096  # the warp is computed so much finer than wanted, and at most so large
_CLOSE = 4  # pixels between the square and the picture's border that need no padding
_BORDER, _LEAST_BORDER = 0.1, 3  # kept around the square: share of its side, and pixels
_MARGIN = 0.3  # of the side, at least, is padded
_BLUR = 0.02  # of the side: standard deviation of the padding's blur
_REACH = 3.0  # the blur reaches a third of the padding into the picture
_CHANNELS = 3


def align(picture: Image.Image, points: FacePoints, size: int) -> Image.Image:
    """Cut out a face: upright, at the place and in the size that FFHQ pictures have it.

    The picture is shrunk first where it is more than twice as fine as needed; what lies beyond
    its border is mirrored, blurred, and fades to the median colour.

    Args:
        picture: Upright RGB photo.
        points: The face in it.
        size: Side of the result in pixels.

    Raises:
        ImageError: If the points are no face, or its square does not fit the picture.
    """
    if size < 1:
        raise SettingsError(f"`size` must be at least 1, but got {size}")
    quad = face_quad(points)
    check_quad(quad, picture.size)
    corners = quad + 0.5  # from pixel centres to edges: scaling has no offset then
    picture, corners = _shrink(picture.convert("RGB"), corners, size)
    picture, corners = _crop(picture, corners)
    picture, corners = _pad(picture, corners)
    fine = max(size, min(_FINER * size, _FINEST))
    warped = picture.transform(
        (fine, fine), Image.Transform.QUAD, corners.ravel().tolist(), Image.Resampling.BILINEAR
    )
    return warped if fine == size else warped.resize((size, size), Image.Resampling.LANCZOS)


def check_quad(quad: Quad, size: tuple[int, int]) -> None:
    """Refuse a square that cannot be cut out of a picture of ``size`` (width, height).

    Raises:
        ImageError: If it is tiny, far larger than the picture, or its centre lies outside.
    """
    side, (x, y) = side_of(quad), quad.mean(0)
    picture = f"{size[0]}x{size[1]} picture"
    if side < _SMALLEST:
        raise ImageError(f"the face's square has a side of {side:.1f} pixels; give a larger photo")
    if side > _LARGEST * max(size):
        raise ImageError(f"the face's square is {side:.0f} pixels wide in a {picture}")
    if not (0 <= x < size[0] and 0 <= y < size[1]):
        raise ImageError(f"the face lies at ({x:.0f}, {y:.0f}), outside the {picture}")


def paste_back(
    photo: Image.Image, face: Image.Image, quad: Quad, feather: float = 0.1
) -> Image.Image:
    """Put an aligned face back into its photo; what lies outside its square stays exactly.

    Args:
        photo: Upright RGB photo that the face was cut from.
        face: The face, edited perhaps, of any size.
        quad: Its square in the photo [4,2], as from ``face_quad``.
        feather: Share of the square's side, 0 to 0.5, along which the photo fades into the face.
            Where ``align`` blurs the photo's border, the photo stays too.

    Raises:
        ImageError: If the square does not fit the photo.
    """
    if not 0 <= feather <= 0.5:
        raise SettingsError(f"`feather` must be from 0 to 0.5, but got {feather}")
    check_quad(quad, photo.size)
    photo, side = photo.convert("RGB"), side_of(quad)
    if side < face.width:  # finer than the photo: average, do not skip
        face = face.resize((max(round(side), 1),) * 2, Image.Resampling.LANCZOS)
    corners = quad + 0.5
    box = _inner_box(corners, photo.size, 0)
    to_face = _to_unit(corners, box)
    scale = np.diag([face.width, face.height])
    warped = face.convert("RGB").transform(
        (box[2] - box[0], box[3] - box[1]), Image.Transform.AFFINE,
        (scale @ to_face).ravel().tolist(), Image.Resampling.BICUBIC,
    )  # fmt: skip
    weight = _feathered(to_face, warped.size, feather) * _unblurred(corners, photo.size, box)
    below = np.asarray(photo.crop(box), np.float32)
    mixed = below + weight[:, :, None] * (np.asarray(warped, np.float32) - below)
    result = photo.copy()
    result.paste(Image.fromarray(np.rint(mixed).astype(np.uint8)), box)
    return result


def _shrink(picture: Image.Image, corners: Quad, size: int) -> tuple[Image.Image, Quad]:
    factor = int(side_of(corners) / size * 0.5)
    if factor <= 1:
        return picture, corners
    width, height = (max(round(length / factor), 1) for length in picture.size)
    ratio = np.array([width, height]) / picture.size
    return picture.resize((width, height), Image.Resampling.LANCZOS), corners * ratio


def _border(corners: Quad) -> int:
    return max(round(_BORDER * side_of(corners)), _LEAST_BORDER)


def _inner_box(corners: Quad, size: tuple[int, int], border: int) -> tuple[int, int, int, int]:
    """The square's box and a border, within the picture: left, top, right, bottom."""
    left, top = np.maximum(np.floor(corners.min(0)).astype(int) - border, 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + border, size)
    return int(left), int(top), int(right), int(bottom)


def _crop(picture: Image.Image, corners: Quad) -> tuple[Image.Image, Quad]:
    box = _inner_box(corners, picture.size, _border(corners))
    return picture.crop(box), corners - box[:2]


def _margins(corners: Quad, size: tuple[int, int]) -> NDArray[np.int64] | None:
    """Pixels to pad: left, top, right, bottom; None where the square lies well inside."""
    low, high = np.floor(corners.min(0)), np.ceil(corners.max(0))
    outside = np.concatenate([-low, high - size]).astype(np.int64)
    if outside.max() <= -_CLOSE:
        return None
    return np.maximum(outside + _border(corners), round(_MARGIN * side_of(corners)))


def _pad(picture: Image.Image, corners: Quad) -> tuple[Image.Image, Quad]:
    margins = _margins(corners, picture.size)
    if margins is None:
        return picture, corners
    left, top, right, bottom = margins.tolist()
    wide = np.pad(np.asarray(picture), ((top, bottom), (left, right), (0, 0)), mode="reflect")
    blurred = Image.fromarray(wide).filter(ImageFilter.GaussianBlur(_BLUR * side_of(corners)))
    beyond = _beyond(wide.shape[1], left, right)[None, :]  # 0 at the picture's border, 1 at ours
    beyond = np.maximum(beyond, _beyond(wide.shape[0], top, bottom)[:, None])[:, :, None]
    pixels = wide.astype(np.float32)
    pixels += (np.asarray(blurred, np.float32) - pixels) * np.clip(_REACH * beyond + 1, 0, 1)
    median = np.median(pixels.reshape(-1, _CHANNELS), axis=0)
    pixels += (median - pixels) * np.clip(beyond, 0, 1)
    return Image.fromarray(np.rint(pixels).astype(np.uint8)), corners + np.array([left, top])


def _beyond(length: int, before: int, after: int) -> NDArray[np.float32]:
    """How far each of ``length`` pixels lies in the margins, as shares; below 0 in the picture."""
    place = np.arange(length, dtype=np.float32)
    return np.maximum(1 - place / before, 1 - place[::-1] / after)


def _to_unit(corners: Quad, box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """Return [2,3]: from the box's pixels to places in the square, 0 to 1 both ways."""
    inverse = np.linalg.inv(np.stack([corners[3] - corners[0], corners[1] - corners[0]], axis=1))
    return np.column_stack([inverse, inverse @ (box[:2] - corners[0])])


def _feathered(
    to_face: NDArray[np.float64], size: tuple[int, int], feather: float
) -> NDArray[np.float32]:
    """Weights [H,W] of the face: 0 outside its square, rising to 1 inside."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    place = np.tensordot(to_face, np.stack([x, y, np.ones_like(x)]), axes=1)  # [2,H,W]
    depth = np.minimum(place, 1 - place).min(axis=0)
    return _rise(depth / feather) if feather else (depth >= 0).astype(np.float32)


def _unblurred(
    corners: Quad, size: tuple[int, int], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Weights of the face near the photo's border, where ``align`` has blurred it."""
    margins = _margins(corners, size)
    if margins is None:
        return np.ones((box[3] - box[1], box[2] - box[0]), np.float32)
    left, top, right, bottom = (1 / margins).tolist()
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    across = np.minimum(x * left, x[::-1] * right)[None, box[0] : box[2]]
    along = np.minimum(y * top, y[::-1] * bottom)[box[1] : box[3], None]
    return _rise(_REACH * np.minimum(across, along))


def _rise(share: NDArray[np.float64]) -> NDArray[np.float32]:
    """From 0 to 1, level at both ends."""
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
