"""Finding faces with YuNet (Wu, Peng and Yu, 2023) through OpenCV, an extra: latentlab[faces].

The weights are a file of the user's, from OpenCV's model zoo. YuNet has learnt faces of about 10
to 300 pixels, so that large photos are looked at in a smaller size.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.errors import SettingsError
from latentlab.face_geometry import FacePoints, face_points, face_size
from latentlab.files import is_file

CONFIDENCE = 0.7  # at least, of a face
_OVERLAP = 0.3  # of two boxes that are one face, at least
_MOST = 5000  # boxes before overlapping ones are joined
_SIDES = (1024, 512, 2048)  # of the longer side in pixels, tried in turn until a face is found
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
        try:
            self._yunet = self._cv2.FaceDetectorYN.create(
                str(model), "", (320, 320), confidence, _OVERLAP, _MOST
            )
        except self._cv2.error as error:
            raise SettingsError(
                f"{model}: OpenCV cannot load it as YuNet ({_reason(error)}); it is an ONNX file "
                "named face_detection_yunet"
            ) from error
        self._model = model

    def __call__(self, picture: Image.Image) -> list[FacePoints]:
        """Return the faces of an upright RGB picture, the largest first.

        Raises:
            SettingsError: If the model cannot be run on it.
        """
        for size in _sizes(picture.size):
            rows = self._rows(picture, size)
            if len(rows):
                ratio = np.array(picture.size) / size
                faces = [self._points(row[_LANDMARKS].reshape(5, 2), ratio) for row in rows]
                return sorted(faces, key=face_size, reverse=True)
        return []

    def _rows(self, picture: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
        resized = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        pixels = np.ascontiguousarray(np.asarray(resized.convert("RGB"))[:, :, ::-1])  # BGR
        try:
            self._yunet.setInputSize(size)
            _, rows = self._yunet.detect(pixels)
        except self._cv2.error as error:
            raise SettingsError(
                f"{self._model}: fails on a picture of {size[0]}x{size[1]} ({_reason(error)}); "
                "take the YuNet of 2023 or later"
            ) from error
        found = np.empty((0, 15), np.float32) if rows is None else np.asarray(rows)
        return found[np.isfinite(found).all(axis=1)]

    @staticmethod
    def _points(landmarks: NDArray[np.float32], ratio: NDArray[np.float64]) -> FacePoints:
        """Undo the scaling of pixel centres; YuNet's right eye, the person's, is at the left."""
        return face_points((landmarks + 0.5) * ratio - 0.5)


def _sizes(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the sizes (width, height) to look at a picture in."""
    tried = set()
    for side in _SIDES:
        scale = min(side / max(size), 1.0 if side == _SIDES[0] else 2.0)
        wanted = max(round(size[0] * scale), _LEAST), max(round(size[1] * scale), _LEAST)
        if wanted not in tried:
            tried.add(wanted)
            yield wanted


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise SettingsError(
            "finding faces needs OpenCV: pip install 'latentlab[faces]', or give --landmarks"
        ) from error
    if not hasattr(cv2, "FaceDetectorYN"):
        raise SettingsError("this OpenCV has no FaceDetectorYN; install a newer one")
    return cv2


def _reason(error: Exception) -> str:
    """Bring OpenCV's message, which names its source files over several lines, on one line."""
    text = getattr(error, "err", None) or str(error)
    return " ".join(text.split())[:200]
