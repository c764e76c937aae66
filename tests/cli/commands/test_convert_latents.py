"""latentlab convert-latents: every kind to every other, with what that can hold."""

import itertools

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner

from cli.main import main
from cli.options.values import LATENT_KINDS
from cli.projecting.latent_rows import read_rows
from latentlab.latents import save_noise, save_ws
from tests.test_architecture import ROOT

L, D = 8, 16
WS = torch.randn(3, L, D, generator=torch.Generator().manual_seed(0))
NAMES = ("a.png", "b/c.jpg", "d")
SUFFIXES = {"rosinality": ".pt"}


def convert(*arguments):
    return CliRunner().invoke(main, ["convert-latents", *map(str, arguments)])


def named(folder, kind):
    return folder / f"latents{SUFFIXES.get(kind, '.' + kind)}"


@pytest.fixture
def source(tmp_path):
    """W+ of three pictures, with names and noise."""
    noise = [torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 8, 8)]
    projections = {name: {"latent": ws, "noise": noise}
                   for name, ws in zip(NAMES, WS, strict=True)}  # fmt: skip
    torch.save(projections, tmp_path / "source.pt")
    return tmp_path / "source.pt"


@pytest.mark.parametrize(("first", "second"), [*itertools.product(LATENT_KINDS, repeat=2)])
def test_round_trips_change_nothing(first, second, source, tmp_path):
    (tmp_path / "1").mkdir()
    one, two = named(tmp_path / "1", first), named(tmp_path, second)
    for before, after, kind in ((source, one, first), (one, two, second)):
        done = convert(before, after, "--to", kind)
        assert done.exit_code == 0, done.stderr
        assert f"Saved {after}: 3 pictures, 8 layers of 16" in done.stderr
    rows = read_rows(two)
    assert np.array_equal(rows.values, WS.numpy())
    keeps = {"rosinality", "safetensors", "parquet"}
    if {first, second} <= keeps:
        assert rows.pictures == NAMES
    if {first, second} == {"rosinality"}:
        assert [len(maps) for maps in rows.noise] == [2, 2, 2]


def test_the_files_are_what_other_tools_read(source, tmp_path):
    for kind in LATENT_KINDS:
        assert convert(source, named(tmp_path, kind), "--to", kind, "--overwrite").exit_code == 0
        path = named(tmp_path, kind)
        if kind == "npy":
            assert np.load(path).shape == (3, L, D)
        elif kind == "npz":
            with np.load(path) as file:
                assert file.files == ["w"]
                assert (file["w"].shape, file["w"].dtype) == ((3, L, D), np.float32)
        elif kind == "pt":
            assert torch.equal(torch.load(path, weights_only=True), WS)
        elif kind == "rosinality":
            found = torch.load(path, weights_only=True)
            assert tuple(found) == NAMES
            assert torch.equal(found["d"]["latent"], WS[2])
            assert [level.shape[-1] for level in found["d"]["noise"]] == [4, 8]
        elif kind == "parquet":
            assert pq.read_table(path)["picture"].to_pylist() == list(NAMES)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pt", "a.pth", "a.safetensors", "a.parquet"])
def test_the_name_says_what_to_write(name, source, tmp_path):
    assert convert(source, tmp_path / name).exit_code == 0
    assert np.array_equal(read_rows(tmp_path / name).values, WS.numpy())


@pytest.mark.parametrize(("name", "kind"), [
    ("a.npy", "npz"), ("a.npy", "rosinality"), ("a.pt", "npy"), ("a.PTH", "parquet"),
    ("a.safetensors", "pt"),
])  # fmt: skip
def test_a_name_that_says_something_else_is_refused(name, kind, source, tmp_path):
    done = convert(source, tmp_path / name, "--to", kind)
    assert done.exit_code == 2
    ending = "pt" if kind == "rosinality" else kind
    assert f"{name}: --to {kind} writes a file whose name ends in .{ending};" in done.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(("name", "kind"), [("a.NPY", None), ("latents", "npz"), ("a.w", "pt")])
def test_other_names_will_do(name, kind, source, tmp_path):
    done = convert(source, tmp_path / name, *(["--to", kind] if kind else []))
    assert done.exit_code == 0, done.stderr
    assert np.array_equal(read_rows(tmp_path / name).values, WS.numpy())


def test_what_does_not_go_along_is_told(source, tmp_path):
    said = convert(source, tmp_path / "a.npy").stderr
    assert "Left out: the names of the pictures and their noise maps, which npy does not" in said
    assert "Left out" not in convert(source, tmp_path / "a.pt", "--to", "rosinality").stderr
    said = convert(source, tmp_path / "a.parquet").stderr
    assert "Left out: their noise maps" in said


@pytest.mark.parametrize("kind", LATENT_KINDS)
def test_one_w_stays_one_unless_it_is_spread(kind, tmp_path):
    np.save(tmp_path / "w.npy", WS[:, :1].numpy())
    out = named(tmp_path / "out", kind)
    done = convert(tmp_path / "w.npy", out, "--to", kind)
    assert done.exit_code == 0, done.stderr
    assert "3 pictures, one w of 16" in done.stderr
    assert ("--num-ws spreads" in done.stderr) == (kind in ("npy", "npz", "pt"))
    assert np.array_equal(read_rows(out).values, WS[:, :1].numpy())
    done = convert(out, out.with_name("spread.npz"), "--num-ws", L)
    assert done.exit_code == 0, done.stderr
    with np.load(out.with_name("spread.npz")) as file:
        assert np.array_equal(file["w"], WS[:, :1].expand(-1, L, -1).numpy())


def test_a_folder_of_projections_goes_with_its_names_and_noise(tmp_path):
    for i, name in enumerate(("anna", "ben")):
        (tmp_path / "p" / name).mkdir(parents=True)
        save_ws(tmp_path / "p" / name / "projected_w.npz", WS[i : i + 1])
        save_noise(
            tmp_path / "p" / name / "projected_noise.npz", [torch.full((1, 1, 4, 4), i + 1.0)]
        )
    out = tmp_path / "a.pt"
    assert convert(tmp_path / "p", out, "--to", "rosinality").exit_code == 0
    found = torch.load(out, weights_only=True)
    assert torch.equal(found["ben"]["latent"], WS[1])
    assert torch.equal(found["ben"]["noise"][0], torch.full((1, 1, 4, 4), 2.0))


def test_the_checkpoint_that_latents_belong_to_is_kept(tmp_path):
    options = ["--distance", "builtin:digits", "--steps", "1", "--space", "w+"]
    picture, out = ROOT / "docs" / "digit.png", tmp_path / "p"
    done = CliRunner().invoke(
        main, ["project", "builtin:digits-stylegan2", str(picture), *options, "-o", str(out)]
    )
    assert done.exit_code == 0, done.stderr
    before = read_rows(tmp_path / "p" / "projected_w.npz").origin
    assert before.digests
    for source in ("p", "p/latents.safetensors"):
        assert convert(tmp_path / source, tmp_path / "a.parquet", "--overwrite").exit_code == 0
        assert read_rows(tmp_path / "a.parquet").origin.digests == before.digests


@pytest.mark.parametrize(("make", "options", "code", "words"), [
    (None, [], 4, "no such file"),
    (lambda path: np.save(path, np.ones((1000, 4))), [], 4, "1000 rows are more than a generator"),
    (lambda path: np.save(path, np.ones((7, 4))), ["--num-ws", "8"], 4,
     "has shape [7, 4], expected floats [N, 8, w_dim]"),
    (lambda path: np.save(path, np.full((8, 4), np.inf)), [], 4, "holds NaN or infinity"),
    (lambda path: np.save(path, np.full((8, 4), 1e99)), [], 4, "beyond float32"),
    (lambda path: path.write_text("x"), [], 4, "not a readable"),
])  # fmt: skip
def test_refusals_write_nothing(make, options, code, words, tmp_path):
    if make is not None:
        make(tmp_path / "in.npy")
    done = convert(tmp_path / "in.npy", tmp_path / "new" / "out.npz", *options)
    assert done.exit_code == code
    assert words in done.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()


def test_files_that_are_there_are_kept(source, tmp_path):
    (tmp_path / "a.npy").write_bytes(b"mine")
    assert convert(source, tmp_path / "a.npy").exit_code == 6
    assert (tmp_path / "a.npy").read_bytes() == b"mine"
    assert convert(source, tmp_path / "a.npy", "--overwrite").exit_code == 0
    assert "is an input" in convert(source, source, "--overwrite").stderr


@pytest.mark.parametrize("kind", ["parquet", "safetensors", "rosinality", "pt", "npz"])
def test_names_that_no_encoding_has(kind, tmp_path):
    """Pickles may hold halves of characters, and what moves the cursor of a terminal."""
    names = ("\ud800.png", "\x1b[2J.png")
    torch.save({name: {"latent": WS[0], "noise": []} for name in names}, tmp_path / "x.pt")
    result = convert(tmp_path / "x.pt", named(tmp_path, kind), "--to", kind)
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert len(read_rows(named(tmp_path, kind)).values) == 2
