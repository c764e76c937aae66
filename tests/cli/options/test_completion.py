"""What shells offer, asked in the process as click asks; one line stands for each kind of value."""

import shlex
import time

import pytest
from click.shell_completion import ShellComplete

import latentlab
from cli.commands.measuring.compare import SAMPLES
from cli.main import main
from cli.options import completion
from cli.options.measuring import METRIC_NAMES, PROTOCOL_NAMES
from cli.options.shells import Bash
from latentlab.checkpoints.native import write_native
from latentlab.editing.directions import HEADER
from latentlab.images import SUFFIXES
from latentlab.models import builtin_names
from latentlab.perceptual import perceptual_distance
from latentlab.training.presets import ImageFormat, named_config
from tests.conftest import make_generator


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in (
        "face.jpg", "notes.txt", "model.pkl", "ada.pt", "w.npz", "labels.csv", "photos/a.PNG",
        "photos/b.webp", "photos/deep/c.tif", "out/projected_w.npz", ".hidden/x.pkl", "yunet.onnx",
        "data.zip", "own.safetensors",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(line):
    """The values for the last word of a line; a space at its end asks for a new word."""
    words = shlex.split(line)
    last = "" if line.endswith(" ") else words.pop()
    return [each.value for each in Bash(main, {}, "latentlab", "V").get_completions(words, last)]


MODELS = ["builtin:digits-stylegan1", "builtin:digits-stylegan2"]
CLASSIFIER = "builtin:digits-classifier"
DIRS = ["out/", "photos/"]


@pytest.mark.parametrize(("line", "values"), [
    ("con", ["contributions", "convert", "convert-latents"]),
    ("info b", [CLASSIFIER, *MODELS]),
    ("ppl ", [*MODELS, "ada.pt", "model.pkl", "out/", "own.safetensors", "photos/"]),
    ("ppl builtin:digits-stylegan", MODELS),
    ("compare m.pkl builtin:", MODELS),
    ("contributions o", ["out/", "own.safetensors"]),
    ("train --data d --from mod", ["model.pkl"]),
    ("ppl .", [".hidden/"]),
    ("ppl .hidden/", [".hidden/x.pkl"]),
    ("project m.pkl ", ["face.jpg", "out/", "photos/"]),
    ("project m.pkl photos/", ["photos/a.PNG", "photos/b.webp", "photos/deep/"]),
    ("project m.pkl face.jpg photos/a", ["photos/a.PNG"]),
    ("align fa", ["face.jpg"]),
    ("attribution m.pkl b", ["builtin:digits"]),
    ("attribution m.pkl p", ["photos/"]),
    ("project m.pkl p.png -o ", DIRS),
    ("project m.pkl p.png --output ph", ["photos/"]),
    ("paste-back o", ["out/"]),
    ("tune m.pkl o", ["out/"]),
    ("project m.pkl p.png --start out/", ["out/projected_w.npz"]),
    ("interpolate m.pkl w", ["w.npz"]),
    ("separability --latents ", ["ada.pt", "out/", "own.safetensors", "photos/", "w.npz"]),
    ("separability --labels l", ["labels.csv"]),
    ("project m.pkl p.png --face-model ", ["out/", "photos/", "yunet.onnx"]),
    ("train --data ", ["builtin:digits", "data.zip", "out/", "photos/"]),
    ("ppl m --distance ",
     [*completion.DISTANCES, "ada.pt", "out/", "own.safetensors", "photos/"]),
    ("ppl m --distance builtin:", ["builtin:digits"]),
    ("ppl m --distance=lpips-s", ["lpips-squeeze"]),
    ("separability m --classifier b", [CLASSIFIER]),
    ("ppl m --protocol ", list(PROTOCOL_NAMES)),
    ("fidelity m --data d --metric ", list(METRIC_NAMES)),
    ("compare a b --metric d", ["droplets"]),
    ("compare a b --samples ppl=5,dr", ["ppl=5,droplets="]),
    ("ppl m --samples p", []),
    ("ppl m --noise", ["--noise-mode"]),
    ("ppl m --noise-mode ", ["random", "const"]),
    ("train --data d --config stylegan2-s", ["stylegan2-small"]),
    ("edit m --layers ", ["coarse", "middle", "fine"]),
    ("ppl m --report ", ["report.csv", "report.json", "report.parquet", "report.md"]),
    ("ppl m --report mine.j", ["mine.json"]),
    ("interpolate m --video walk", ["walk.mp4", "walk.gif"]),
    ("project m p --latents-file ", ["latents.safetensors", "latents.parquet"]),
    ("ppl m --device c", ["cpu", "cuda"]),
    ("convert m.pkl new.safetensors --only G", ["G_ema", "G"]),
    ("completion ", ["bash", "zsh", "fish"]),
    # Nothing, and no word about it.
    ("ppl nowhere/", []),
    ("frobnicate x", []),
    ("ppl m --samples many --distance nothing", []),
    ("edit m --directions nowhere --direction ", []),
    ("generate nowhere.safetensors --class ", []),
    ("generate own.safetensors --class ", []),
])  # fmt: skip
def test_a_shell_is_offered(line, values, folder, capsys):
    assert offered(line) == values
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("damage", [b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x02" + bytes(7)])
def test_a_damaged_file_offers_nothing(damage, folder, capsys):
    (folder / "own.safetensors").write_bytes(damage)
    assert offered("generate own.safetensors --class ") == []
    assert offered("edit m --directions own.safetensors --direction ") == []
    assert capsys.readouterr() == ("", "")


def test_directions_are_offered_by_name_from_the_file_or_its_folder(saved):
    for given in (saved, saved / "directions.safetensors"):
        assert offered(f"edit m --directions {given} --direction ") == ["smile", "0", "a/b"]
        assert offered(f"edit m --directions {given} --direction s") == ["smile"]


def test_classes_are_offered_where_the_header_counts_them(folder):
    latentlab.save(make_generator(c_dim=12), folder / "own.safetensors")
    numbers = [str(i) for i in range(12)]
    assert offered("generate own.safetensors --class ") == [*numbers, "all"]
    assert offered("generate own.safetensors --class 1") == ["1", "10", "11"]
    assert offered("mix own.safetensors --class 3,1") == ["3,1", "3,10", "3,11"]
    assert offered("edit own.safetensors --class 2,9-") == ["2,9-10", "2,9-11"]
    assert offered("generate own.safetensors --class=a") == ["all"]
    assert offered("project own.safetensors --class ") == numbers  # which takes one
    assert offered("project own.safetensors --class a") == []
    assert offered(f"generate {MODELS[0]} --class ") == []


def test_classes_are_offered_by_name(folder):
    g = make_generator(c_dim=3)
    path = folder / "own.safetensors"
    write_native({"G_ema": g}, path, {"class_names": ["cat", "cow", "two words"]})
    assert offered("generate own.safetensors --class c") == ["cat", "cow"]
    assert offered("generate own.safetensors --class cat,t") == ["cat,two words"]
    assert "1-2" in offered("generate own.safetensors --class 1-")
    write_native({"G_ema": g}, path, {"class_names": [7, 8, 9]})  # a number is a name there
    assert offered("generate own.safetensors --class ") == ["7", "8", "9", "all"]
    write_native({"G_ema": g}, path, {"class_names": ["too", "few"]})
    assert offered("generate own.safetensors --class t") == []


def test_a_failure_offers_nothing(monkeypatch, capsys):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(ShellComplete, "get_completions", fail)
    assert offered("ppl ") == []
    assert capsys.readouterr() == ("", "")


# What is listed here without the library is what the library has.


def test_the_lists_are_those_of_the_library():
    assert completion.bundled() == builtin_names()
    assert set(completion.PICTURE_SUFFIXES) == {*SUFFIXES, ".gif"}
    assert completion.DIRECTIONS_ENTRY == HEADER
    for name in completion.CONFIGS:
        assert named_config(name, ImageFormat(32, 3, 0)).name == name
    with pytest.raises(Exception, match=", ".join(completion.DISTANCES)):
        perceptual_distance("unknown")
    assert offered("compare a b --samples ") == [f"{name}=" for name in SAMPLES]
    assert {f"{completion.PREFIX}digits"} == {each for each in completion.DISTANCES if ":" in each}


def test_a_folder_with_many_pictures_is_quick(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(3000):
        (tmp_path / f"{i:05d}.png").touch()
    started = time.monotonic()
    assert len(offered("project m.pkl 0")) == 3000
    assert time.monotonic() - started < 2
