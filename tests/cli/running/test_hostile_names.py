r"""Names that steer a terminal, or forge a line, on their way through the commands."""

import io
import json
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import latentlab
from cli.reports.page import Page
from latentlab.editing.directions import Directions, save_directions
from tests.conftest import make_generator
from tests.support import attacks
from tests.support.commands import run

NAME = "a\x1b[2J\x1b]0;owned\x07\x9b31m\nError: fake\rError: fake\u202egnp\x85b"
FILE = NAME + "\udcff"  # with a byte that is no UTF-8
LONG = "\x1b[31m" * 20_000


def told(*arguments, code=None):
    """Run a command; nothing that it prints may steer a terminal, forge a line or be very long."""
    result = run(*arguments)
    if code is not None:
        assert result.exit_code == code, result.stderr
    for text in (result.stdout, result.stderr):
        for line in text.split("\n"):
            assert line.isprintable(), ascii(line)
            assert not line.startswith("Error: fake"), text
            assert len(line) <= 8_010 or "--json" in arguments  # which is for programs
    if result.exit_code not in (0, None):
        assert result.stderr.count("Error: ") - result.stderr.count("Error: fake") == 1
    return result


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A generator in a file with such a name, which says such things of itself."""
    path = tmp_path_factory.mktemp("model") / f"{NAME}.safetensors"
    metadata = {
        "licence": NAME, NAME: NAME, "notes": [NAME, LONG], "ignored": [NAME], "long": LONG,
        "source": {"kind": NAME, "file": NAME, "sha256": NAME}, "deep": {NAME: {NAME: [[NAME]]}},
        "truncation": {"psi": NAME, "cutoff": NAME}, "class_names": [NAME, NAME + "b"],
        **{f"fact {i}": i for i in range(200)},
    }  # fmt: skip
    g = make_generator(resolution=8, z_dim=4, w_dim=4, c_dim=2)
    latentlab.save(g, path, metadata)
    return path


def checkpoint(kind, folder):
    """Write a file that is refused, with the name in it."""
    path = folder / f"{FILE}.{kind.split()[0]}"
    if kind == "safetensors names":
        save_file({NAME: torch.zeros(1), LONG: torch.zeros(1)}, path)
    elif kind == "safetensors networks":
        networks = json.dumps({NAME: {"type": NAME}})
        header = {"format": "latentlab", "format_version": "1", "networks": networks}
        save_file({"a": torch.zeros(1)}, path, header)
    elif kind == "safetensors version":
        save_file({"a": torch.zeros(1)}, path, {"format": "latentlab", "format_version": LONG})
    elif kind == "safetensors config":
        save_file({"a": torch.zeros(1)}, path, {"config": json.dumps({"G": {NAME: LONG}})})
    elif kind == "pkl keys":
        path.write_bytes(attacks.finish(attacks.plain({NAME: 1, LONG: 2})))
    elif kind == "pkl twice":
        pair = attacks.plain(NAME) + b"N"
        path.write_bytes(attacks.finish(b"}(" + pair * 2 + b"u"))
    elif kind == "pkl name":
        path.write_bytes(attacks.finish(attacks.stack_name(NAME, "system") + b")R"))
    elif kind == "pt member":
        _zip(path, {f"archive/{NAME}": b"x", "archive/data.pkl": b"x"})
    elif kind == "zip inside":
        _zip(path, {f"{NAME}.pkl": b"x", f"{NAME}b": b"x"})
    elif kind == "tar inside":
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo(f"{NAME}.pkl"), io.BytesIO())
    elif kind == "html page":
        path.write_text(f"<html><title>{NAME}{LONG}</title></html>")
    elif kind == "txt message":
        path.write_text(f"{NAME} not found")
    return path


def _zip(path, members):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


KINDS = (
    "safetensors names", "safetensors networks", "safetensors version", "safetensors config",
    "pkl keys", "pkl twice", "pkl name", "pt member", "zip inside", "tar inside", "html page",
    "txt message", "none there",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_that_is_refused(kind, tmp_path):
    told("info", checkpoint(kind, tmp_path), code=3)


def test_r03_info_and_convert(model, tmp_path):
    shown = told("info", model, code=0).stdout
    assert "a\\x1b[2J" in shown
    assert "more" in shown
    assert "(all with --json)" in shown
    told("info", model, "--json", code=0)
    out = tmp_path / f"{NAME}.safetensors"
    told("convert", model, out, code=0)
    told("convert", model, out)  # there already
    told("convert", model, tmp_path / f"{FILE}.pt", "--to", "rosinality")


def test_r03_generate_with_names_of_classes_and_folders(model, tmp_path):
    out = tmp_path / FILE
    told("generate", model, "--seeds", "0", "--class", "0", "-o", out, code=0)
    told("generate", model, "--seeds", "0", "--class", "0", "-o", out)
    told("generate", model, "--seeds", "0", "--class", NAME, "-o", tmp_path / "b")
    told("generate", model, "--seeds", "0", "--class", "0", "-o", tmp_path / "c", "--dry-run")


def picture(path, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


def test_r03_project_a_folder(model, tmp_path):
    photos = tmp_path / FILE
    photos.mkdir()
    picture(photos / f"{FILE}.png")
    (photos / f"{FILE}b.png").write_text("none")
    words = ["project", model, photos, "--class", "0", "--steps", "1", "--distance"]
    done = told(*words, "builtin:digits", "-o", tmp_path / "out", "--html")
    assert done.exit_code in (2, 4), done.stderr
    told(*words, "builtin:digits", "-o", tmp_path / "out", "--dry-run")
    told(*words, tmp_path / f"{FILE}.pt", "-o", tmp_path / "out")


def test_r03_train_on_a_folder(tmp_path):
    photos = tmp_path / FILE
    photos.mkdir()
    picture(photos / "a.png")
    (photos / f"{FILE}.png").write_text("none")
    words = ["train", "--config", "stylegan2-f", "--data"]
    told(*words, photos, "-o", tmp_path / "run")
    (photos / "dataset.json").write_text(json.dumps({"labels": [[NAME, NAME]]}))
    told(*words, photos, "-o", tmp_path / "run", "--dry-run")
    _zip(tmp_path / "a.zip", {f"{NAME}.png": b"none"})
    told(*words, tmp_path / "a.zip", "-o", tmp_path / "run")


def test_r03_arrays_directions_and_tables(model, tmp_path):
    np.savez(tmp_path / "named.npz", **{NAME: np.zeros((1, 4)), "b": np.zeros(3)})
    words = [model, "-o", tmp_path / "out"]
    told("generate", *words, "--projected-w", tmp_path / "named.npz", code=4)
    told("generate", *words, "--projected-w", tmp_path / f"{FILE}.npz", code=4)
    rows = torch.eye(4)[:2]
    ones = torch.ones(2).double()
    found = Directions((NAME, "b"), rows, ones, ones, "svm")
    save_directions(tmp_path / "d.safetensors", found)
    edit = ["edit", *words, "--class", "0", "--seeds", "0", "--directions"]
    told(*edit, tmp_path / "d.safetensors", "--direction", "c")
    told(*edit, tmp_path / "d.safetensors", "--direction", NAME)
    save_file({NAME: torch.zeros(1)}, tmp_path / "e.safetensors")
    told(*edit, tmp_path / "e.safetensors", "--direction", "c", code=4)
    words += ["--class", "0", "--seeds", "0"]
    told("generate", *words, "--tuning", tmp_path / "e.safetensors", code=3)


def test_r03_landmarks(tmp_path):
    picture(tmp_path / "a.png")
    for name, text in {
        "a.csv": f'"{NAME}","{NAME}"\n1,2\n',
        "b.csv": f'picture,x0,"{NAME}"\n"{NAME}","{NAME}",2\n',
        "a.json": json.dumps({NAME: [[LONG]]}),
        "b.json": json.dumps({NAME: {LONG: 1}}),
        "c.json": f"{{{NAME}",
    }.items():
        (tmp_path / name).write_text(text)
        words = ["align", tmp_path / "a.png", "--landmarks", tmp_path / name]
        told(*words, "-o", tmp_path / "out", code=4)


def test_r04_words_of_the_command_line_itself(tmp_path):
    told("info", tmp_path / "a", FILE, code=2)
    told(NAME, code=2)
    told("info", f"--{NAME}", code=2)
    told("generate", "builtin:digits-stylegan2", "--seeds", NAME, "-o", tmp_path / "b", code=2)
    told("generate", f"builtin:{NAME}", "--seeds", "0", "-o", tmp_path / "b", code=3)


def test_r03_a_page_has_no_tags_of_a_name(tmp_path):
    page = Page(f"<script>{NAME}")
    page.lead.append(f"<script>{NAME}")
    page.caution(f"<script>{NAME}")
    page.write(tmp_path / "page.html")
    assert "<script>a" not in (tmp_path / "page.html").read_text()
