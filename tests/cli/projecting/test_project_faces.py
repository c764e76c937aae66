"""latentlab project --crop face: aligned targets, photos without faces, and the way back."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.commands.paste_back import paste_back
from cli.main import main
from latentlab.faces import align, face_points, face_quad, load_alignment
from tests.cli.conftest import AS_IN_GROUP
from tests.conftest import make_generator
from tests.support.faces.drawn import DrawnFace, draw

FACES = {"a.png": DrawnFace(90, 70, 12, 20), "b.png": DrawnFace(80, 80, 9, -50)}
SIZE = (180, 150)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Three photos projected, one of them without a face."""
    base = tmp_path_factory.mktemp("faces")
    latentlab.save(make_generator(resolution=32, z_dim=16, w_dim=12), base / "model.safetensors")
    (base / "photos").mkdir()
    for name, face in FACES.items():
        draw(SIZE, face).save(base / "photos" / name)
    draw(SIZE).save(base / "photos" / "empty.png")
    points = {name: face.points().tolist() for name, face in FACES.items()}
    (base / "points.json").write_text(json.dumps(points))
    arguments = [
        "project", base / "model.safetensors", base / "photos", "--crop", "face",
        "--landmarks", base / "points.json", "--steps", 2, "--distance", "builtin:digits",
        "-o", base / "out",
    ]  # fmt: skip
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 4, result.stderr
    assert "empty.png: no face of it in" in result.stderr
    return base / "out"


def test_targets_are_aligned_faces(out):
    for name, face in FACES.items():
        with Image.open(out.parent / "photos" / name) as photo:
            wanted = align(photo, face_points(face.points()), 32)
        with Image.open(out / name[0] / "target.png") as target:
            # Through [-1,1] and back a value may round to its neighbour.
            difference = np.asarray(target, int) - np.asarray(wanted, int)
            assert np.abs(difference).max() <= 1


def test_alignments_are_kept_beside_the_projections(out):
    for name, face in FACES.items():
        alignment = load_alignment(out / name[0] / "alignment.json")
        assert alignment.picture == str(out.parent / "photos" / name)
        np.testing.assert_array_equal(alignment.points.array(), face.points())
        record = json.loads((out / name[0] / "projection.json").read_text())
        assert "alignment.json" in record["files"]


def test_photos_without_faces_shift_no_names(out):
    rows = pd.read_csv(out / "report.csv").set_index("picture")
    status = {name.rsplit("/", 1)[-1]: text for name, text in rows["status"].items()}
    assert status == {"a.png": "ok", "b.png": "ok", "empty.png": "skipped"}
    assert sorted(path.parent.name for path in out.glob("*/projected_w.npz")) == ["a", "b"]


def test_projections_return_to_their_photos(out, tmp_path):
    result = CliRunner().invoke(paste_back, [str(out), "-o", str(tmp_path)], **AS_IN_GROUP)
    assert result.exit_code == 0, result.stderr
    for name, face in FACES.items():
        with Image.open(out.parent / "photos" / name) as photo, Image.open(tmp_path / name) as back:
            changed = (np.asarray(photo) != np.asarray(back)).any(2)
        rows, columns = np.nonzero(changed)
        quad = face_quad(face_points(face.points()))
        assert changed.any()
        assert columns.min() >= quad[:, 0].min() - 1
        assert columns.max() <= quad[:, 0].max() + 1
        assert rows.min() >= quad[:, 1].min() - 1
        assert rows.max() <= quad[:, 1].max() + 1
