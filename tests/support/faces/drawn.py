"""Faces that tests draw: an ellipse with four discs at known places."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import label

COLOURS = {
    "left_eye": (230, 30, 30),
    "right_eye": (30, 200, 30),
    "left_mouth": (40, 40, 230),
    "right_mouth": (220, 30, 220),
}
SKIN = (224, 196, 172)
EYES, MOUTH, DROP = 1.0, 0.7, 2.1  # half the eyes' distance, half the mouth, from eyes to mouth
_DISC = 0.2


@dataclass(frozen=True)
class DrawnFace:
    """A symmetric face: the middle of its eyes, half their distance in pixels, its turn."""

    x: float
    y: float
    scale: float
    degrees: float = 0.0

    def points(self) -> NDArray[np.float64]:
        """Return [4,2]: left eye, right eye, left mouth corner, right mouth corner."""
        places = np.array([-EYES, EYES, -MOUTH + 1j * DROP, MOUTH + 1j * DROP])
        turned = places * self.scale * np.exp(1j * np.radians(self.degrees))
        return np.stack([self.x + turned.real, self.y + turned.imag], axis=1)


def draw(size: tuple[int, int], *faces: DrawnFace) -> Image.Image:
    """Draw faces on a picture of (width, height) with smooth grey-blue ground, none of it dark."""
    width, height = size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    ground = 170 + 30 * np.sin(x / 17) * np.cos(y / 23)
    pixels = np.stack([ground, ground, ground + 20], axis=2)
    for face in faces:
        turn = np.exp(-1j * np.radians(face.degrees))
        place = ((x - face.x) + 1j * (y - face.y)) * turn / face.scale
        oval = np.hypot(place.real / 2, (place.imag - 0.8) / 2.8) - 1
        _fill(pixels, -oval * 2 * face.scale, SKIN)
        for (px, py), colour in zip(face.points(), COLOURS.values(), strict=True):
            _fill(pixels, _DISC * face.scale - np.hypot(x - px, y - py), colour)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def centroids(picture: Image.Image) -> NDArray[np.float64]:
    """Return where the four discs are [4,2], by their colours; NaN where one is missing."""
    pixels = np.asarray(picture, np.float64)
    found = []
    for colour in COLOURS.values():
        discs, count = label(np.abs(pixels - colour).sum(2) < 130)
        if count == 0:
            found.append((np.nan, np.nan))
            continue
        largest = np.bincount(discs.ravel())[1:].argmax() + 1  # padding mirrors discs, blurred
        rows, columns = np.nonzero(discs == largest)
        found.append((columns.mean(), rows.mean()))
    return np.array(found)


def canonical(size: int) -> NDArray[np.float64]:
    """Return where the discs of a drawn face belong in its aligned picture of ``size`` pixels."""
    half = max(2.0 * 2 * EYES, 1.8 * DROP)
    down = 0.1 * DROP  # from the eyes to the centre
    places = np.array([(-EYES, -down), (EYES, -down), (-MOUTH, DROP - down), (MOUTH, DROP - down)])
    return (places / half + 1) / 2 * size - 0.5


def _fill(
    pixels: NDArray[np.float32], inside: NDArray[np.float32], colour: tuple[int, ...]
) -> None:
    """Paint where ``inside``, pixels from the edge inwards, is positive; edges are smooth."""
    weight = np.clip(inside + 0.5, 0, 1)[:, :, None]
    pixels += weight * (np.array(colour) - pixels)
