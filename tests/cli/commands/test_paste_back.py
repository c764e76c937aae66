"""latentlab paste-back: faces return to their photos, and mistakes are named."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.commands.paste_back import paste_back
from cli.pictures.records import Record, Source
from latentlab import DataError, LatentlabError, OutputError
from latentlab.faces import Alignment, align, face_points, face_quad, save_alignment
from tests.cli.conftest import AS_IN_GROUP
from tests.support.faces.drawn import DrawnFace, draw

FACES = {"a": DrawnFace(140, 90, 20, 10), "b": DrawnFace(150, 120, 25, -40)}


@pytest.fixture
def projections(tmp_path: Path) -> Path:
    """Folders as of two projected photos: the photo's own face, and a red one in another size."""
    for name, face in FACES.items():
        photo = draw((300, 240), face)
        photo.save(tmp_path / f"{name}.png")
        folder = tmp_path / "out" / name
        folder.mkdir(parents=True)
        points = face_points(face.points())
        alignment = Alignment(str(tmp_path / f"{name}.png"), points, face_quad(points), 128)
        save_alignment(folder / "alignment.json", alignment)
        align(photo, points, 128).save(folder / "projected.png")
        Image.new("RGB", (32, 32), (255, 0, 0)).save(folder / "red.png")
        Record({}, Source.of(tmp_path / f"{name}.png"), {}, {}).write(folder / "projection.json")
    return tmp_path / "out"


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(paste_back, [str(each) for each in arguments], **AS_IN_GROUP)
    if isinstance(result.exception, LatentlabError):
        raise result.exception
    return result


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture, np.float64)


def test_faces_return_to_their_photos(projections: Path, tmp_path: Path) -> None:
    result = run(projections, "-o", tmp_path / "pasted")
    assert result.exit_code == 0
    assert "2 photos of 2" in result.stderr
    for name in FACES:
        before, after = (
            pixels(tmp_path / f"{name}.png"),
            pixels(tmp_path / "pasted" / f"{name}.png"),
        )
        assert np.abs(before - after).mean() < 1
        np.testing.assert_array_equal(after[:, -1], before[:, -1])


def test_another_file_can_be_the_face(projections: Path, tmp_path: Path) -> None:
    result = run(projections / "a", "--face", "red.png", "--feather", "0", "-o", tmp_path / "red")
    assert result.exit_code == 0
    before, after = pixels(tmp_path / "a.png"), pixels(tmp_path / "red" / "a.png")
    np.testing.assert_array_equal(after[100, 140], (255, 0, 0))
    changed = (before != after).any(2)
    side = 160  # twice 4 times half the eyes' distance
    assert changed.sum() == pytest.approx(side**2, rel=0.02)


def test_moved_photos_are_looked_for(projections: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "moved" / "a.png")
    result = run(projections, "-o", tmp_path / "pasted")
    assert result.exit_code == 4
    assert "1 photo of 2" in result.stderr
    assert "a.png: no such file; if the photos have moved, give --photos DIR" in result.stderr
    assert (tmp_path / "pasted" / "b.png").exists()
    more = run(projections / "a", "--photos", tmp_path / "moved", "-o", tmp_path / "pasted")
    assert more.exit_code == 0


def test_what_cannot_be_used_is_named(projections: Path, tmp_path: Path) -> None:
    draw((300, 240)).save(tmp_path / "a.png")
    (projections / "b" / "alignment.json").write_text("{}")
    result = run(projections, "-o", tmp_path / "pasted")
    assert result.exit_code == 4
    assert "a.png: is no longer the photo that was projected" in result.stderr
    assert "alignment.json: an alignment has the keys" in result.stderr
    assert list((tmp_path / "pasted").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_damaged_face_is_named(projections: Path, tmp_path: Path, content: bytes) -> None:
    (projections / "a" / "projected.png").write_bytes(content)
    Image.new("RGB", (9, 8)).save(projections / "b" / "projected.png")
    result = run(projections, "-o", tmp_path / "pasted")
    assert result.exit_code == 4
    assert str(projections / "a" / "projected.png") in result.stderr
    assert "9x8 is not square" in result.stderr


def test_results_and_photos_are_not_replaced(projections: Path, tmp_path: Path) -> None:
    run(projections, "-o", tmp_path / "pasted")
    with pytest.raises(OutputError, match="use --overwrite"):
        run(projections, "-o", tmp_path / "pasted")
    assert run(projections, "--overwrite", "-o", tmp_path / "pasted").exit_code == 0
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(OutputError):
        run(projections / "a", "--face", "red.png", "--overwrite", "-o", tmp_path)
    assert (tmp_path / "a.png").read_bytes() == before


def test_folders_without_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no alignment\.json in it"):
        run(tmp_path, "-o", tmp_path / "pasted")
    result = run(tmp_path, "--face", "../x.png", "-o", tmp_path / "pasted")
    assert result.exit_code == 2
