"""Finding faces with YuNet (Wu, Peng and Yu, 2023) through OpenCV, an extra: latentlab[faces].

The weights are a file of the user's, from OpenCV's model zoo. YuNet has learnt faces of about 10
to 300 pixels, so large photos are looked at in smaller sizes. Its points depend on the size:
the more confident answer has the better ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.errors import SettingsError
from latentlab.faces.geometry import FacePoints, face_points, face_size
from latentlab.files import is_file

CONFIDENCE = 0.8  # at least: clear faces have 0.9 and more, galaxies of a deep sky up to 0.72
_OVERLAP = 0.3  # of two boxes that are one face, at least
_MOST = 5000  # boxes before overlapping ones are joined
# Longer sides in pixels in which a picture is looked at, for small faces and for large ones; and
# whether only if nothing was found.
_SIDES = {1024: False, 640: False, 320: False, 2048: True}
_LARGEST_SCALE = 2.0
_LEAST = 32  # pixels of the shorter side, below which YuNet's grid has no cells
_LANDMARKS = slice(4, 14)  # of a row: box (4), five points, confidence


class FaceDetector:
    """Finds the faces of pictures."""

    def __init__(self, model: Path, confidence: float = CONFIDENCE) -> None:
        """Load YuNet's weights (ONNX).

        Raises:
            SettingsError: If OpenCV is missing, or the file is no such model.
        """
        self._cv2 = _opencv()
        if not is_file(model):
            raise SettingsError(f"{model}: no such file; YuNet's model is in OpenCV's model zoo")
        advice = "it is an ONNX file named face_detection_yunet"
        with _errors_told(self._cv2, f"{model}: OpenCV cannot load it as YuNet", advice):
            self._yunet = self._cv2.FaceDetectorYN.create(
                str(model), "", (320, 320), confidence, _OVERLAP, _MOST
            )
        self._model = model

    def __call__(self, picture: Image.Image) -> list[FacePoints]:
        """Return the faces of an upright RGB picture, the largest first.

        Raises:
            SettingsError: If the model cannot be run on it.
        """
        found: list[tuple[float, FacePoints]] = []
        for side, is_last_resort in _SIDES.items():
            if not (found and is_last_resort):
                found += self._found(picture, _size(picture.size, side))
        faces: list[FacePoints] = []
        for _, face in sorted(found, key=lambda each: each[0], reverse=True):
            if not any(_same(face, other) for other in faces):
                faces.append(face)
        return sorted(faces, key=face_size, reverse=True)

    def _found(
        self, picture: Image.Image, size: tuple[int, int]
    ) -> Iterator[tuple[float, FacePoints]]:
        """Yield confidences and faces found in a size (width, height), in the picture's pixels.

        Of the five points the first, which YuNet calls the right eye, the person's, is at the left.
        """
        ratio = np.array(picture.size) / size
        for row in self._rows(picture, size):
            points = (row[_LANDMARKS].reshape(5, 2) + 0.5) * ratio - 0.5
            yield float(row[-1]), face_points(points)

    def _rows(self, picture: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
        resized = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        pixels = np.ascontiguousarray(np.asarray(resized.convert("RGB"))[:, :, ::-1])  # BGR
        failure = f"{self._model}: fails on a picture of {size[0]}x{size[1]}"
        with _errors_told(self._cv2, failure, "take the YuNet of 2023 or later"):
            self._yunet.setInputSize(size)
            _, rows = self._yunet.detect(pixels)
        found = np.empty((0, 15), np.float32) if rows is None else np.asarray(rows)
        return found[np.isfinite(found).all(axis=1)]


def _size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Scale a size to a longer side; small pictures become at most twice as large."""
    scale = min(side / max(size), _LARGEST_SCALE)
    width, height = (max(round(length * scale), _LEAST) for length in size)
    return width, height


def _same(first: FacePoints, second: FacePoints) -> bool:
    """Whether two are one face, found in two sizes: about as large, and in about the same place."""
    sizes = face_size(first), face_size(second)
    away = np.hypot(*(first.array() - second.array()).mean(0))
    return min(sizes) > max(sizes) / 2 and away < max(sizes) / 4


@contextmanager
def _errors_told(cv2: Any, failure: str, advice: str) -> Iterator[None]:
    """Turn OpenCV's errors into SettingsError, and keep its own warnings off the terminal."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)
    try:
        yield
    except cv2.error as error:
        # Its message names its source files over several lines.
        reason = " ".join((getattr(error, "err", None) or str(error)).split())[:200]
        raise SettingsError(f"{failure} ({reason}); {advice}") from error
    finally:
        cv2.utils.logging.setLogLevel(level)


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise SettingsError(
            "finding faces needs OpenCV",
            advice=["pip install 'latentlab[faces]'", "give `landmarks`"],
        ) from error
    if not hasattr(cv2, "FaceDetectorYN"):
        raise SettingsError("this OpenCV has no FaceDetectorYN; install a newer one")
    return cv2
