"""Finding faces, with a model of the tests' own in YuNet's place: see tiny_yunet."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.options.pictures import FaceRequest
from cli.pictures.faces import FaceSource
from latentlab import NoFaceError, SettingsError
from latentlab.faces import align
from latentlab.faces.detection import FaceDetector
from tests.support.faces.drawn import DrawnFace, canonical, centroids, draw
from tests.support.faces.tiny_yunet import write_tiny_yunet
from tests.support.onnx_files import Graph

cv2 = pytest.importorskip("cv2", reason="needs latentlab[faces]")

LEFT, RIGHT = DrawnFace(120, 120, 30, 10), DrawnFace(420, 200, 40, -20)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in place of YuNet's weights."""
    return write_tiny_yunet(tmp_path_factory.mktemp("model") / "tiny_yunet.onnx")


def test_faces_are_found_the_largest_first(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    faces = FaceDetector(model)(draw((600, 400), LEFT, RIGHT))
    assert len(faces) == 2
    for found, drawn in zip(faces, (RIGHT, LEFT), strict=True):
        np.testing.assert_allclose(found.array(), drawn.points(), atol=0.3)
    assert capfd.readouterr().err == ""  # OpenCV warns of its own doings otherwise


@pytest.mark.parametrize(
    ("size", "face"),
    [
        ((1500, 900), DrawnFace(560, 400, 80, 25)),
        ((90, 70), DrawnFace(25, 22, 9)),
        ((333, 1111), DrawnFace(100, 500, 40)),
    ],
)
def test_places_are_those_of_the_whole_picture(
    model: Path, size: tuple[int, int], face: DrawnFace
) -> None:
    (found,) = FaceDetector(model)(draw(size, face))
    np.testing.assert_allclose(found.array(), face.points(), atol=max(0.3, 0.001 * max(size)))


def test_what_is_found_can_be_aligned(model: Path) -> None:
    photo = draw((600, 400), LEFT, RIGHT)
    found = FaceSource(FaceRequest(None, model, "largest")).find(Path("photo.jpg"), photo)
    assert found.note == "2 faces; took the largest"
    places = centroids(align(photo, found.points, 256))
    np.testing.assert_allclose(places, canonical(256), atol=1)
    second = FaceSource(FaceRequest(None, model, 2)).find(Path("photo.jpg"), photo)
    np.testing.assert_allclose(second.points.array(), LEFT.points(), atol=0.3)


def test_pictures_without_faces_say_so(model: Path) -> None:
    assert FaceDetector(model)(draw((300, 200))) == []
    assert FaceDetector(model)(Image.new("RGB", (1, 3000))) == []
    with pytest.raises(NoFaceError, match=r"empty\.png: no face found; if there is one"):
        FaceSource(FaceRequest(None, model, "largest")).find(Path("empty.png"), draw((300, 200)))


class Scripted:
    """In the model's place: finds given faces by the longer side of what it is shown."""

    def __init__(
        self, found: dict[int, list[DrawnFace]], whole: int, sure: dict[int, float] | None = None
    ) -> None:
        self.found, self.whole, self.shown = found, whole, list[int]()
        self.sure = sure or {}

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 - OpenCV's name
        self.shown.append(max(size))

    def detect(self, pixels: np.ndarray) -> tuple[int, np.ndarray | None]:
        side = max(pixels.shape)
        rows = []
        for face in self.found.get(side, []):
            points = (np.insert(face.points(), 2, 0, axis=0) + 0.5) * side / self.whole - 0.5
            rows.append([0, 0, 1, 1, *points.ravel(), self.sure.get(side, 0.9)])
        return 1, np.array(rows, np.float32) if rows else None


CLOSE_UP, BEHIND = DrawnFace(1000, 800, 300), DrawnFace(1800, 200, 20)


@pytest.mark.parametrize(
    ("found", "faces", "shown"),
    [
        ({1024: [BEHIND], 320: [CLOSE_UP]}, [CLOSE_UP, BEHIND], [1024, 640, 320]),
        ({1024: [CLOSE_UP], 320: [DrawnFace(1004, 803, 297)]}, [CLOSE_UP], [1024, 640, 320]),
        ({2048: [BEHIND]}, [BEHIND], [1024, 640, 320, 2048]),
        ({}, [], [1024, 640, 320, 2048]),
    ],
)
def test_small_and_large_faces_are_looked_for(
    model: Path, found: dict[int, list[DrawnFace]], faces: list[DrawnFace], shown: list[int]
) -> None:
    detector: Any = FaceDetector(model)
    detector._yunet = Scripted(found, 2048)
    result = detector(Image.new("RGB", (2048, 2048)))
    assert detector._yunet.shown == shown
    for one, face in zip(result, faces, strict=True):
        np.testing.assert_allclose(one.array(), face.points(), atol=0.01)


@pytest.mark.parametrize("best", [1024, 640, 320])
def test_of_one_face_in_several_sizes_the_most_confident_counts(model: Path, best: int) -> None:
    shifted = {side: [DrawnFace(1000 + side / 100, 800, 300)] for side in (1024, 640, 320)}
    detector: Any = FaceDetector(model)
    detector._yunet = Scripted(shifted, 2048, dict.fromkeys(shifted, 0.82) | {best: 0.95})
    (found,) = detector(Image.new("RGB", (2048, 2048)))
    np.testing.assert_allclose(found.array(), shifted[best][0].points(), atol=0.01)


def test_other_models_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match="no such file; YuNet's model"):
        FaceDetector(tmp_path / "missing.onnx")
    other = tmp_path / "other.onnx"
    other.write_bytes(b"no model" * 9)
    with pytest.raises(SettingsError, match="cannot load it as YuNet") as caught:
        FaceDetector(other)
    assert "\n" not in str(caught.value)
    graph = Graph()
    graph.call("Identity", "input", output="output")
    other.write_bytes(graph.model("input", [1, 3, "h", "w"], ["output"]))
    with pytest.raises(SettingsError, match=r"other\.onnx") as caught:
        FaceDetector(other)(draw((64, 64)))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_without_opencv_the_extra_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SettingsError, match=r"pip install 'latentlab\[faces\]'"):
        FaceDetector(model)
