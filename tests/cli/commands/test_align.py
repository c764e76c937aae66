"""latentlab align: folders of photos, bad ones among them, runs that continue."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.commands.align import align
from latentlab import DataError, LatentlabError, OutputError
from latentlab.faces import face_points, face_quad
from latentlab.files import sha256_of
from tests.cli.conftest import AS_IN_GROUP
from tests.support.faces.drawn import DrawnFace, canonical, centroids, draw

SIZE = (300, 240)
FACES = {
    "a.jpg": [DrawnFace(140, 90, 20, 10)],
    "b.png": [DrawnFace(80, 90, 12), DrawnFace(210, 100, 20, -20)],
    "inner/a.png": [DrawnFace(150, 100, 25, 45)],
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos with faces, one without, one that is damaged; landmarks beside the folder."""
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    for name, faces in FACES.items():
        draw(SIZE, *faces).save(folder / name, quality=95)
    draw(SIZE).save(folder / "empty.png")
    (folder / "damaged.jpg").write_bytes((folder / "a.jpg").read_bytes()[:2000])
    points = {name: [face.points().tolist() for face in faces] for name, faces in FACES.items()}
    points["damaged.jpg"] = points["a.jpg"]
    (tmp_path / "points.json").write_text(json.dumps(points))
    return folder


def run(photos: Path, *arguments: str | Path, landmarks: str | Path = "points.json") -> Result:
    """Align with the landmarks beside the folder, at 128 pixels."""
    base = photos.parent
    given = ["--landmarks", base / landmarks, "--size", "128", "-o", base / "out", *arguments]
    result = CliRunner().invoke(align, [str(each) for each in given], **AS_IN_GROUP)
    if isinstance(result.exception, LatentlabError):
        raise result.exception
    return result


def report(photos: Path) -> pd.DataFrame:
    frame = pd.read_csv(photos.parent / "out" / "alignment.csv", keep_default_na=False)
    frame["picture"] = [Path(name).relative_to(photos).as_posix() for name in frame["picture"]]
    return frame.set_index("picture")


def test_a_folder_is_aligned_and_the_bad_are_named(photos: Path) -> None:
    result = run(photos, photos)
    assert result.exit_code == 4
    assert "3 of 5 pictures aligned" in result.stderr
    assert "empty.png: no face of it in" in result.stderr
    rows = report(photos)
    assert dict(rows["status"]) == {
        "a.jpg": "ok", "b.png": "ok", "damaged.jpg": "refused", "empty.png": "skipped",
        "inner/a.png": "ok",
    }  # fmt: skip
    assert rows["note"]["b.png"] == "2 faces; took the largest"
    assert "cannot be read" in rows["note"]["damaged.jpg"]
    text = (photos.parent / "out" / "alignment.csv").read_text()
    assert text.count(f",{SIZE[0]},{SIZE[1]},") == 3  # whole numbers, beside rows without any
    files = {"a.jpg": "a.png", "b.png": "b.png", "inner/a.png": "inner-a.png"}
    for name, file in files.items():
        assert rows["file"][name] == file
        with Image.open(photos.parent / "out" / file) as picture:
            np.testing.assert_allclose(centroids(picture), canonical(128), atol=0.5)
    seen = {path.name for path in (photos.parent / "out").glob("[!.]*")}
    assert seen == {*files.values(), "alignment.csv", "manifest.json"}


def test_the_report_has_points_square_and_scale(photos: Path) -> None:
    run(photos, photos / "a.jpg")
    row = report(photos).loc["a.jpg"]
    points = face_points(FACES["a.jpg"][0].points())
    assert [row["left_eye_x"], row["left_eye_y"]] == pytest.approx(points.left_eye)
    assert [row["right_mouth_x"], row["right_mouth_y"]] == pytest.approx(points.right_mouth)
    quad = np.array([[row[f"quad_x{i}"], row[f"quad_y{i}"]] for i in range(4)])
    np.testing.assert_allclose(quad, face_quad(points))
    # Half the side is 4 times half the eyes' distance, which is 20 pixels.
    assert row["scale"] == pytest.approx(128 / 160)
    assert (row["width"], row["height"]) == SIZE


def test_the_manifest_lists_every_file(photos: Path) -> None:
    run(photos, photos, "--face", "2")
    out = photos.parent / "out"
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["files"]) == {"alignment.csv", "b.png"}
    for name, digest in manifest["files"].items():
        assert sha256_of(out / name) == digest
    assert manifest["settings"]["face"] == 2
    assert manifest["settings"]["landmarks_sha256"] == sha256_of(photos.parent / "points.json")
    assert report(photos)["note"]["a.jpg"].endswith("1 face; there is no number 2")


def test_the_same_command_again_does_what_is_left(photos: Path) -> None:
    run(photos, photos)
    out = photos.parent / "out"
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    first = (out / "alignment.csv").read_text()
    (out / "inner-a.png").unlink()
    draw(SIZE, DrawnFace(140, 90, 20, 10)).save(photos / "a.jpg", quality=50)  # another file now
    assert run(photos, photos).exit_code == 4
    changed = {path.name for path in times if path.stat().st_mtime_ns != times[path]}
    assert changed == {"a.png", "inner-a.png"}
    assert (out / "alignment.csv").read_text() == first


def without_date(out: Path) -> dict[str, bytes | dict[str, object]]:
    """The files of a folder; of the manifest, all but when it was written."""
    found: dict[str, bytes | dict[str, object]] = {
        path.name: path.read_bytes() for path in out.glob("[!.]*")
    }
    told = json.loads((out / "manifest.json").read_text())
    return found | {"manifest.json": {k: v for k, v in told.items() if k != "date"}}


def test_a_stopped_run_goes_on(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between a picture and its record, and before the report."""
    run(photos, photos)
    out = photos.parent / "out"
    whole = without_date(out)
    for name in ("alignment.csv", "manifest.json", "b.png"):
        (out / name).unlink()
    (out / ".alignment" / "inner-a.json").unlink()
    (out / "inner-a.png").unlink()
    assert run(photos, photos).exit_code == 4
    assert without_date(out) == whole


def test_corrected_landmarks_redo_their_photos_alone(photos: Path) -> None:
    run(photos, photos)
    out, file = photos.parent / "out", photos.parent / "points.json"
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    points = json.loads(file.read_text())
    corrected = DrawnFace(141, 92, 21, 10)
    points |= {"a.jpg": corrected.points().tolist(), "inner/a.png": None}
    points["empty.png"] = corrected.points().tolist()
    file.write_text(json.dumps(points))
    assert run(photos, photos).exit_code == 4
    assert dict(report(photos)["status"]) == {
        "a.jpg": "ok", "b.png": "ok", "damaged.jpg": "refused", "empty.png": "ok",
        "inner/a.png": "skipped",
    }  # fmt: skip
    assert float(report(photos)["left_eye_x"]["a.jpg"]) == corrected.points()[0, 0]
    now = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert set(now) == {"a.png", "b.png", "empty.png"}  # the one without a face is gone
    assert now["b.png"] == times["b.png"]
    assert now["a.png"] != times["a.png"]


def test_pictures_added_later_do_not_shift_names(photos: Path) -> None:
    inner = photos / "inner"
    run(photos, inner)
    assert report(photos)["file"]["inner/a.png"] == "a.png"
    run(photos, photos)
    files = report(photos)["file"]
    assert (files["inner/a.png"], files["a.jpg"]) == ("a.png", "a-2.png")
    run(photos, photos / "b.png")
    assert set(report(photos).index) == {"a.jpg", "b.png", "inner/a.png"}


def test_the_report_serves_as_landmarks(photos: Path) -> None:
    run(photos, photos)
    base = photos.parent
    result = run(photos, photos, "-o", base / "again", landmarks="out/alignment.csv")
    assert "empty.png: no face of it" in result.stderr
    for path in (base / "out").glob("*.png"):
        assert path.read_bytes() == (base / "again" / path.name).read_bytes()


def test_results_inside_the_folder_are_not_aligned_again(photos: Path) -> None:
    for more in ([], [], ["--overwrite"]):
        run(photos, photos, "-o", photos / "aligned", *more)
        assert len(list((photos / "aligned").glob("*.png"))) == 3


def test_other_settings_and_foreign_files_are_refused(photos: Path) -> None:
    run(photos, photos)
    with pytest.raises(OutputError, match="size 128 there, 64 here"):
        run(photos, photos, "--size", "64")
    assert run(photos, photos, "--size", "64", "--overwrite").exit_code == 4
    with Image.open(photos.parent / "out" / "a.png") as picture:
        assert picture.size == (64, 64)
    foreign = photos.parent / "foreign"
    foreign.mkdir()
    (foreign / "a.png").write_text("mine")
    with pytest.raises(OutputError, match=r"a\.png"):
        run(photos, photos, "-o", foreign)
    assert (foreign / "a.png").read_text() == "mine"
    before = (photos / "b.png").read_bytes()
    with pytest.raises(OutputError):
        run(photos, photos, "-o", photos, "--overwrite")
    assert (photos / "b.png").read_bytes() == before


def test_small_faces_are_refused_unless_allowed(photos: Path) -> None:
    result = run(photos, photos / "a.jpg", "--size", "1024")
    assert result.exit_code == 4
    assert "a.jpg: the face would be enlarged 6.4 times" in result.stderr
    assert run(photos, photos / "a.jpg", "--size", "1024", "--max-upscale", "7").exit_code == 0


def test_absurd_landmarks_are_named_with_their_picture(photos: Path) -> None:
    points: dict[str, Any] = {"a.jpg": [[9, 9], [9, 9], [9, 30], [9, 30]]}
    (photos.parent / "points.json").write_text(json.dumps(points))
    result = run(photos, photos / "a.jpg")
    assert result.exit_code == 4
    assert "a.jpg: the eyes coincide" in result.stderr
    assert report(photos)["status"]["a.jpg"] == "refused"


def test_one_name_for_two_photos_stops_the_run(photos: Path) -> None:
    """Landmarks that could be of either must not be used for both."""
    (photos / "inner" / "b.png").write_bytes((photos / "b.png").read_bytes())
    with pytest.raises(DataError, match=r"b\.png fits both"):
        run(photos, photos)
    assert not (photos.parent / "out").exists()


def test_missing_sources_are_named(photos: Path) -> None:
    result = run(photos, photos / "a.jpg", photos / "nothing.jpg", photos / "none" / "*.jpg")
    assert result.exit_code == 4
    assert "1 of 3 pictures aligned" in result.stderr
    assert "nothing.jpg: no such file" in result.stderr


def test_a_dry_run_writes_nothing(photos: Path) -> None:
    result = run(photos, photos, "--dry-run", "--json")
    told = json.loads(result.stdout)
    assert (len(told["pictures"]), told["done"], told["size"]) == (5, 0, 128)
    assert not (photos.parent / "out").exists()


def test_without_landmarks_the_usage_is_told(photos: Path) -> None:
    result = CliRunner().invoke(
        align, [str(photos), "-o", str(photos.parent / "out")], **AS_IN_GROUP
    )
    assert result.exit_code == 2
    assert "give --landmarks FILE, or --face-model FILE" in result.stderr
