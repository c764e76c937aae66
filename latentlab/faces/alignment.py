"""Cutting a face out of a photo as the FFHQ pictures show theirs, and putting it back.

Published aligned pictures come from the same geometry; see ``geometry``.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from latentlab.checks import check, check_whole
from latentlab.errors import ImageError
from latentlab.faces.geometry import FacePoints, Quad, face_quad, side_of

_SMALLEST, _LARGEST = 16.0, 8.0  # a side in pixels; a side in multiples of the picture's
_FINER, _FINEST = 4, 4096  # the warp is so much finer than wanted; nothing is larger than that
_CLOSE = 4  # pixels between the square and the picture's border that need no padding
_BORDER, _LEAST_BORDER = 0.1, 3  # kept around the square: share of its side, and pixels
_MARGIN = 0.3  # of the side, at least, is padded
_BLUR = 0.02  # of the side: standard deviation of the padding's blur
_REACH = 3.0  # the blur reaches a third of the padding into the picture
_BAND = 64  # rows that are blended at once


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
    check_whole(size, "size", 1)
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
    """Put an aligned face back into its photo; outside its square nothing changes.

    Args:
        photo: Upright RGB photo that the face was cut from.
        face: The face, perhaps edited, of any size; the photo shows through its transparent parts.
        quad: Its square in the photo [4,2], as from ``face_quad``.
        feather: Share of the square's side, 0 to 0.5, along which the photo fades into the face.
            Where ``align`` blurs the photo's border, the photo stays too.

    Raises:
        ImageError: If the square does not fit the photo.
    """
    check(0 <= feather <= 0.5, "feather", "from 0 to 0.5", feather)
    check_quad(quad, photo.size)
    face, side = face if face.mode == "RGBA" else face.convert("RGB"), side_of(quad)
    if side < face.width:  # finer than the photo: average, do not skip
        face = face.resize((max(round(side), 1),) * 2, Image.Resampling.LANCZOS)
    result, corners = photo.convert("RGB").copy(), quad + 0.5
    left, top, right, bottom = _inner_box(corners, photo.size, 0)
    for row in range(top, bottom, _BAND):  # the floats of a whole photo would take gigabytes
        box = left, row, right, min(row + _BAND, bottom)
        result.paste(_mixed(result, face, corners, box, feather), box)
    return result


def _mixed(
    photo: Image.Image,
    face: Image.Image,
    corners: Quad,
    box: tuple[int, int, int, int],
    feather: float,
) -> Image.Image:
    """Return a box of the photo, with the face in it."""
    below, to_face = np.asarray(photo.crop(box), np.float32), _to_unit(corners, box)
    to_pixels = np.diag([face.width, face.height]) @ to_face
    size = box[2] - box[0], box[3] - box[1]
    above = face.transform(
        size, Image.Transform.AFFINE, to_pixels.ravel().tolist(), Image.Resampling.BICUBIC
    )
    weight = _feathered(to_face, size, feather) * _unblurred(corners, photo.size, box)
    if above.mode == "RGBA":
        weight = weight * np.asarray(above.getchannel("A"), np.float32) / 255
    mixed = below + weight[:, :, None] * (np.asarray(above.convert("RGB"), np.float32) - below)
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _shrink(picture: Image.Image, corners: Quad, size: int) -> tuple[Image.Image, Quad]:
    side = side_of(corners)
    factor = max(int(side / size * 0.5), math.ceil(side / _FINEST))
    if factor <= 1:
        return picture, corners
    width, height = (max(round(length / factor), 1) for length in picture.size)
    ratio = np.array([width, height]) / picture.size
    return picture.resize((width, height), Image.Resampling.LANCZOS), corners * ratio


def _border(corners: Quad) -> int:
    return max(round(_BORDER * side_of(corners)), _LEAST_BORDER)


def _inner_box(corners: Quad, size: tuple[int, int], border: int) -> tuple[int, int, int, int]:
    """Return the square's box with a border, within the picture: left, top, right, bottom."""
    left, top = np.maximum(np.floor(corners.min(0)).astype(int) - border, 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + border, size)
    return int(left), int(top), int(right), int(bottom)


def _crop(picture: Image.Image, corners: Quad) -> tuple[Image.Image, Quad]:
    box = _inner_box(corners, picture.size, _border(corners))
    return picture.crop(box), corners - box[:2]


def _margins(corners: Quad, size: tuple[int, int]) -> NDArray[np.int64] | None:
    """Return the pixels to pad: left, top, right, bottom; None where the square is well inside."""
    low, high = np.floor(corners.min(0)), np.ceil(corners.max(0))
    outside = np.concatenate([-low, high - size]).astype(np.int64)
    if outside.max() <= -_CLOSE:
        return None
    return np.maximum(outside + _border(corners), round(_MARGIN * side_of(corners)))


def _pad(picture: Image.Image, corners: Quad) -> tuple[Image.Image, Quad]:
    margins = _margins(corners, picture.size)
    if margins is None:
        return picture, corners
    sigma = _BLUR * side_of(corners)
    # One by one, and in bytes: as floats all channels of a large face would take gigabytes.
    planes = [_padded(plane, margins.tolist(), sigma) for plane in picture.split()]
    return Image.merge("RGB", planes), corners + margins[:2]


def _padded(plane: Image.Image, margins: list[int], sigma: float) -> Image.Image:
    """Mirror a channel beyond its borders, where it is blurred and fades to its median."""
    left, top, right, bottom = margins
    wide = np.pad(np.asarray(plane), ((top, bottom), (left, right)), mode="reflect")
    blurred = np.asarray(Image.fromarray(wide).filter(ImageFilter.GaussianBlur(sigma)))
    across = _beyond(wide.shape[1], left, right)  # 0 at the picture's border, 1 at ours
    along = _beyond(wide.shape[0], top, bottom)
    _blend(wide, blurred, _REACH * across + 1, _REACH * along + 1)
    counts = np.cumsum(Image.fromarray(wide).histogram())
    median = np.searchsorted(counts, wide.size / 2).astype(np.uint8)
    _blend(wide, np.broadcast_to(median, wide.shape), across, along)
    return Image.fromarray(wide)


def _blend(
    pixels: NDArray[np.uint8],
    other: NDArray[np.uint8],
    across: NDArray[np.float32],
    along: NDArray[np.float32],
) -> None:
    """Mix other pixels in [H,W], each by the larger weight of its column [W] and its row [H]."""
    for start in range(0, len(pixels), _BAND):
        rows = slice(start, start + _BAND)
        weight = np.clip(np.maximum(across[None, :], along[rows, None]), 0, 1)
        mixed = pixels[rows].astype(np.float32)
        mixed += weight * (other[rows] - mixed)
        pixels[rows] = np.rint(mixed)


def _beyond(length: int, before: int, after: int) -> NDArray[np.float32]:
    """Return how far each of ``length`` pixels lies in the margins, as a share; < 0: not in one."""
    place = np.arange(length, dtype=np.float32)
    return np.maximum(1 - place / before, 1 - place[::-1] / after)


def _to_unit(corners: Quad, box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """Return [2,3]: from the box's pixels to places in the square, 0 to 1 both ways."""
    inverse = np.linalg.inv(np.stack([corners[3] - corners[0], corners[1] - corners[0]], axis=1))
    return np.column_stack([inverse, inverse @ (box[:2] - corners[0])])


def _feathered(
    to_face: NDArray[np.float64], size: tuple[int, int], feather: float
) -> NDArray[np.float32]:
    """Return the weights [H,W] of the face: 0 outside its square, rising to 1 inside."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    place = np.tensordot(to_face, np.stack([x, y, np.ones_like(x)]), axes=1)  # [2,H,W]
    depth = np.minimum(place, 1 - place).min(axis=0)
    return _rise(depth / feather) if feather else (depth >= 0).astype(np.float32)


def _unblurred(
    corners: Quad, size: tuple[int, int], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Return the face's weights near the photo's border, where ``align`` has blurred it."""
    margins = _margins(corners, size)
    if margins is None:
        return np.ones((box[3] - box[1], box[2] - box[0]), np.float32)
    left, top, right, bottom = (1 / margins).tolist()
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    across = np.minimum(x * left, x[::-1] * right)[None, box[0] : box[2]]
    along = np.minimum(y * top, y[::-1] * bottom)[box[1] : box[3], None]
    return _rise(_REACH * np.minimum(across, along))


def _rise(share: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a curve from 0 to 1 that is level at both ends."""
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
