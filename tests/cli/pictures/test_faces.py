"""Which face of a picture the command line means, and how it says so."""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.options.pictures import FaceRequest, face_options
from cli.pictures.faces import FaceSource
from latentlab import DataError, ImageError, NoFaceError, SettingsError
from latentlab.files import sha256_of
from tests.support.faces.drawn import DrawnFace

FACES = [DrawnFace(60, 60, 10), DrawnFace(150, 60, 30), DrawnFace(30, 120, 20)]
PICTURE = Image.new("RGB", (200, 200))


@pytest.fixture
def landmarks(tmp_path: Path) -> Path:
    """One picture with three faces, one with one, one with none."""
    faces = [face.points().tolist() for face in FACES]
    file = tmp_path / "points.json"
    file.write_text(json.dumps({"three.png": faces, "one.png": faces[0], "none.png": []}))
    return file


@pytest.mark.parametrize(
    ("choice", "face", "note"),
    [
        ("largest", FACES[1], "3 faces; took the largest"),
        (1, FACES[0], "3 faces; took number 1"),
        (3, FACES[2], "3 faces; took number 3"),
    ],
)
def test_one_of_several_is_taken_and_said(
    landmarks: Path, choice: str | int, face: DrawnFace, note: str
) -> None:
    found = FaceSource(FaceRequest(landmarks, None, choice)).find(Path("three.png"), PICTURE)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.points.array(), face.points())
    assert found.note == note


def test_an_only_face_needs_no_note(landmarks: Path) -> None:
    found = FaceSource(FaceRequest(landmarks, None, "largest")).find(Path("one.png"), PICTURE)
    np.testing.assert_allclose(found.points.array(), FACES[0].points())
    assert found.note == ""


@pytest.mark.parametrize(
    ("name", "choice", "reason"),
    [
        ("none.png", "largest", "none.png: no face of it in "),
        ("unknown.png", "largest", "unknown.png: no face of it in "),
        ("one.png", 2, "one.png: 1 face; there is no number 2"),
        ("three.png", 4, "three.png: 3 faces; there is no number 4"),
    ],
)
def test_a_missing_face_is_its_own_error(
    landmarks: Path, name: str, choice: str | int, reason: str
) -> None:
    source = FaceSource(FaceRequest(landmarks, None, choice))  # type: ignore[arg-type]
    with pytest.raises(NoFaceError) as caught:
        source.find(Path(name), PICTURE)
    assert reason in str(caught.value)


def test_faces_that_cannot_be_aligned_are_named(landmarks: Path) -> None:
    far = DrawnFace(500, 9, 20).points().tolist()
    points = {"same.png": [[9, 9], [9, 9], [9, 30], [9, 30]], "far.png": far}
    landmarks.write_text(json.dumps(points))
    source = FaceSource(FaceRequest(landmarks, None, "largest"))
    with pytest.raises(ImageError, match=r"^x/same\.png: the eyes coincide"):
        source.find(Path("x/same.png"), PICTURE)
    with pytest.raises(ImageError, match=r"^far\.png: the face lies at .* outside the 200x200"):
        source.find(Path("far.png"), PICTURE)


def test_unclear_landmarks_are_refused_beforehand(landmarks: Path) -> None:
    source = FaceSource(FaceRequest(landmarks, None, "largest"))
    source.check([Path("x/one.png"), Path("x/three.png"), Path("x/unknown.png")])
    with pytest.raises(DataError, match=r"one\.png fits both"):
        source.check([Path("y/one.png")])


def test_exactly_one_source_is_wanted(landmarks: Path) -> None:
    with pytest.raises(click.UsageError, match="give --landmarks FILE, or --face-model FILE"):
        FaceSource(FaceRequest(None, None, "largest"))
    with pytest.raises(click.UsageError, match="not both"):
        FaceSource(FaceRequest(landmarks, landmarks, "largest"))


def test_damaged_files_are_refused(landmarks: Path) -> None:
    landmarks.write_text("{")
    with pytest.raises(DataError):
        FaceSource(FaceRequest(landmarks, None, "largest"))
    pytest.importorskip("cv2")
    with pytest.raises(SettingsError, match="cannot load it as YuNet"):
        FaceSource(FaceRequest(None, landmarks, "largest"))


def test_a_report_tells_the_files_by_content(landmarks: Path) -> None:
    facts = {"face": 2, "landmarks": "points.json", "landmarks_sha256": sha256_of(landmarks)}
    assert FaceRequest(landmarks, None, 2).facts() == facts
    assert FaceRequest(None, None, "largest").facts() == {"face": "largest"}


@click.command()
@face_options
@click.option("--other", default="x")
def command(faces: FaceRequest, other: str) -> None:
    """Echo what it receives."""
    click.echo(f"{faces.landmarks} {faces.face_model} {faces.face!r} {other}")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ([], "None None 'largest' x"),
        (["--face", "largest", "--other", "y"], "None None 'largest' y"),
        (["--face", "12"], "None None 12 x"),
        (["--landmarks", __file__, "--face-model", __file__], f"{__file__} {__file__} 'largest' x"),
    ],
)
def test_options_arrive_as_one_argument(arguments: list[str], output: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.output.strip() == output


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "smallest", "", "9" * 5000, "٣"])
def test_other_choices_are_usage_errors(value: str) -> None:
    result = CliRunner().invoke(command, ["--face", value])
    assert result.exit_code == 2
    assert "neither largest nor a number from 1" in result.output


def test_the_options_import_nothing_large() -> None:
    code = (
        "import cli.options.pictures, sys\nprint({'numpy', 'PIL', 'torch', 'cv2'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
