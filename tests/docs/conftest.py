"""A folder in which every file that the documentation names is there, small."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
from latentlab.checkpoints.native import write_native
from latentlab.editing.directions import load_directions, save_directions
from latentlab.encoders.config import E4E
from latentlab.models import builtin_path
from tests.conftest import (
    DATA,
    make_generator,
    make_stylegan1,
    make_stylegan1_discriminator,
    make_stylegan3,
)
from tests.support.documentation import ROOT
from tests.support.encoders import write_encoder
from tests.support.faces.drawn import COLOURS, DrawnFace, draw
from tests.support.faces.tiny_yunet import write_tiny_yunet
from tests.support.pairs import MeanFaces, save_program

# Files of the same bytes, so that the latents of one fit the others.
STYLEGAN2 = (
    "ffhq.pkl", "cars.pkl", "model.safetensors", "network-snapshot.pkl", "stylegan2.pkl",
    "stylegan2-ffhq.pkl", "stylegan2-ffhq-config-f.pkl", "network-snapshot-005000.pkl",
    "network-snapshot-025000.pkl", "a.pkl", "c.pkl", "runs/a.safetensors", "runs/c.safetensors",
    "runs/photos/snapshot-000400000.safetensors", "runs/digits/snapshot-000400000.safetensors",
)  # fmt: skip
STYLEGAN1 = (
    "stylegan1.pkl", "stylegan1-ffhq.pkl", "karras2019stylegan-ffhq-1024x1024.pkl", "b.pkl",
    "runs/b.safetensors", "runs/digits1/snapshot-000400000.safetensors",
)  # fmt: skip
STYLEGAN3 = ("stylegan3.pkl", "stylegan3-r.pkl", "ffhqu.pkl")
CLASSIFIERS = (
    "male.pkl", "smiling.pkl", "digits-classifier.safetensors", "celebahq/00-male.pkl",
    "celebahq/01-smiling.pkl",
)  # fmt: skip
FACES = {"anna.jpg": DrawnFace(70, 80, 20), "ben.jpg": DrawnFace(170, 80, 20)}
PROJECTING = "project model.safetensors --distance builtin:digits --steps 1 --crop face --landmarks"
MEASURING = {
    "ppl": "ppl --distance vgg16.pt --samples 6",
    "separability": "separability --classifier male.pkl --samples 60",
    "droplets": "droplets --samples 2",
}
EARLIER = (
    f"{PROJECTING} points.csv photo.jpg -o out",
    f"{PROJECTING} points.csv photos -o projections",
    "directions model.safetensors --method pca --samples 200 -o directions",
    "directions stylegan3.pkl --method pca --components 3 --samples 200 -o stylegan3-directions",
    "directions builtin:digits-stylegan2 --method svm --classifier builtin:digits-classifier "
    "--samples 400 -o svm",
    "tune model.safetensors out --distance builtin:digits --steps 1 -o tuned",
    "convert builtin:digits-stylegan2 c.safetensors",
    *(f"{words} {model} -o {name}-{end}" for model, end in (("a.pkl", "a"), ("b.pkl", "b"))
      for name, words in MEASURING.items()),
    "compare ppl-a ppl-b -o versus",
)  # fmt: skip
COPIES = {
    "ppl-a": "ppl", "ppl-b": "other-ppl", "b.pkl": "b.safetensors", "photos": "psp",
}  # fmt: skip


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder; commands are not to write there."""
    folder = tmp_path_factory.mktemp("desk")
    for names, builtin in (
        (STYLEGAN2, "digits-stylegan2"), (STYLEGAN1, "digits-stylegan1"),
        (CLASSIFIERS, "digits-classifier"),
    ):  # fmt: skip
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(builtin_path(f"builtin:{builtin}"), folder / name)
    shutil.copytree(ROOT / "docs", folder / "docs")
    latentlab.save(make_generator(resolution=32, c_dim=3), folder / "classes.pkl")
    for name in STYLEGAN3:
        latentlab.save(make_stylegan3(resolution=32), folder / name)
    write_encoder(folder / "e4e_ffhq_encode.pt", E4E, w_dim=64)
    g, d = make_stylegan1(resolution=32), make_stylegan1_discriminator(resolution=32)
    write_native({"G_ema": g, "D": d}, folder / "trained.pkl")
    _write_pictures(folder)
    _write_results(folder)
    return folder


def _write_pictures(folder: Path) -> None:
    """Write photos of drawn faces, with their landmarks, also in zips, and a picture of a digit."""
    lines = ["picture," + ",".join(f"{name}_{axis}" for name in COLOURS for axis in "xy")]
    lines += [
        f"{name}," + ",".join(f"{each:.2f}" for point in points for each in point)
        for name, points in _points().items()
    ]
    (folder / "points.csv").write_text("\n".join(lines) + "\n")
    for place in ("photos", "cars", "faces"):
        (folder / place).mkdir()
    for name, face in FACES.items():
        picture = draw((240, 200), face)
        for place in ("photos", "cars", "faces"):
            picture.save(folder / place / name)
    shutil.copy(folder / "photos" / "anna.jpg", folder / "photo.jpg")
    (folder / "more").mkdir()
    for name in ("scan.png", "more/x.png"):
        shutil.copy(ROOT / "docs" / "digit.png", folder / name)
    for name in ("photos.zip", "faces.zip", "ffhq.zip"):  # prepared for training: square
        with zipfile.ZipFile(folder / name, "w") as archive:
            for i in range(6):
                archive.write(folder / "scan.png", f"{i}.png")
    shutil.copy(folder / "scan.png", folder / "faces" / "0.png")  # the first decides the size
    for name in ("vgg16.pt", "inception.pth"):
        shutil.copy(DATA / "vgg16_standin.pt", folder / name)
    draw((900, 700), DrawnFace(465, 298, 55)).save(folder / "anna.jpg")
    write_tiny_yunet(folder / "face_detection_yunet.onnx")


def _name_directions(path: Path) -> None:
    """Give some of the directions names that the documentation takes from other methods."""
    found = load_directions(path, w_dim=64)
    names = dict(enumerate(found.names)) | {7: "7", 8: "2", 9: "smile"}
    save_directions(path, replace(found, names=tuple(names.values())))


def _points() -> dict[str, list[list[float]]]:
    """Return the four points of each photo, photo.jpg being that of Anna."""
    points = {name: face.points().tolist() for name, face in FACES.items()}
    return points | {"photo.jpg": points["anna.jpg"]}


def _write_results(folder: Path) -> None:
    """Write what earlier commands would have left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in EARLIER:
            done = CliRunner().invoke(main, words.split())
            assert done.exit_code == 0, (words, done.output)
    for name, copy in COPIES.items():
        (shutil.copytree if (folder / name).is_dir() else shutil.copy)(folder / name, folder / copy)
    for name, copy in (("projections", "w"), ("projections", "w-plus"), ("photos", "e4e")):
        shutil.copytree(folder / name, folder / copy)
    save_program(MeanFaces(), folder / "arcface.pt")
    torch.save(torch.zeros(1, 8, 64), folder / "0.pt")
    _name_directions(folder / "directions" / "directions.safetensors")
    for name in ("anna", "ben"):  # out stands for a projection, and for a folder of several
        shutil.copytree(folder / "projections" / name, folder / "out" / name)
    (folder / "labels.csv").write_text("picture,smiling\nanna.jpg,1\nben.jpg,0\n")
    shutil.copytree(folder / "out", folder / "three")
    shutil.copy(folder / "projections" / "latents.safetensors", folder / "out")
    faces = {name: [points, points] for name, points in _points().items()}
    (folder / "points.json").write_text(json.dumps(faces))
