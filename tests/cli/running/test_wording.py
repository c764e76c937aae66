"""What the command line says: errors in the options of the command that was called."""

import ast
import re
import shlex
import shutil
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.running.wording import option_for, told
from latentlab import ImageError, SettingsError
from tests.cli.conftest import SMALL
from tests.conftest import make_generator, make_progan
from tests.test_architecture import FILES, MODULES, imported_by, name_of, parsed, room_of

# Arguments that no command line can get wrong: tensors, functions and results that Python code
# hands over, and settings that commands leave at their defaults, or whose options refuse a wrong
# value themselves. Each is named by the module that speaks of it.
NOT_FOR_THE_COMMAND_LINE = {
    "latentlab/checkpoints/__init__.py": {"source"},  # what is saved
    "latentlab/checkpoints/native.py": {"config", "metadata"},  # names in a file's header
    "latentlab/editing/directions.py": {
        "deviations",
        "facts",
        "missing",
        "origins",
        "vectors",
        "ws",
    },
    "latentlab/encoders/config.py": {"widths"},  # of a file
    "latentlab/faces/alignment.py": {"feather"},
    "latentlab/faces/record.py": {"picture", "points", "quad", "sha256"},  # names in alignment.json
    "latentlab/images/decoding.py": {"max_pixels"},
    "latentlab/latents.py": {"other"},
    "latentlab/lpips_files.py": {"path"},  # of save_distance
    "latentlab/networks/discriminators.py": {"image"},
    "latentlab/networks/half.py": {"resolutions"},
    "latentlab/networks/mapping.py": {"w_dim"},
    "latentlab/networks/generator.py": {"ws", "z"},
    "latentlab/networks/placement.py": {"matrix"},
    "latentlab/networks/stylegan3.py": {"transform"},
    "latentlab/networks/synthesis.py": {"noise[i]", "ws"},
    "latentlab/projection/projector.py": {"on_divergence", "settings"},
    "latentlab/projection/start.py": {"search"},
    "latentlab/projection/whitening.py": {"w_samples"},
    "latentlab/training/snapshots.py": {"step"},  # a name in a file's header
    "latentlab/training/schedule.py": {"stable_kimg", "start_resolution", "transition_kimg"},
    "metrics/droplet_detection.py": {"maps"},
    "metrics/feature_maps.py": {"synthesis"},
    "metrics/fidelity_networks.py": {"extractor"},
    "metrics/mixed_styles.py": {"mixed"},
    "metrics/noise_variation.py": {"ws"},
    "metrics/picture_pairs/quality.py": {"about"},
    "metrics/aliasing/power_spectra.py": {"smooth"},
    "metrics/path_protocols.py": {"epsilon", "sampling"},  # parts of a protocol's name
    "metrics/separability/classifiers.py": {"names"},
    "metrics/separability/score.py": {"logits", "names"},
}
# What is wrong in a file is named as in the file.
OF_FILES = ("latentlab/checkpoints/pickles/", "latentlab/checkpoints/systems/")
OF_NETWORKS = re.compile(r"latentlab/networks/(\w*config|classifier)\.py")
CHECKS = {"check", "check_whole", "check_number", "check_choice", "check_flag", "check_taps"}
SHAPES = {"check_shape", "needed", "as_images"}
NAME = re.compile(r"`([a-z][a-z0-9_]*(?:\.[a-z_]+)?(?:\[\w+\])?)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
NEVER_REACHED = {  # options in what a command imports, yet never calls; or those of another command
    ("cli.measuring.labelled_latents", "--layer"): {
        "compare", "demo", "inversion-report", "reproduce",
    },
    ("cli.running.interrupt", "--overwrite"): {"train"},  # told where a command has it
    ("cli.measuring.results", "--report"): {"demo", "train"},
    ("cli.measuring.standing", "--overwrite"): {"train"},  # logs contributions alone
    ("cli.measuring.work", "--overwrite"): {"train"},
    ("cli.models", "--class"): {
        "attribution", "card", "compare", "contributions", "convert", "convert-latents", "demo",
        "droplets", "equivariance", "fidelity", "info", "inversion-report", "noise", "ppl",
        "reproduce", "separability", "spectrum", "train",
    },
    ("cli.models", "--device"): {"card", "convert", "convert-latents", "info"},
    ("cli.measuring.shared_card", "--class"): {"card"},  # shows what generate has
    ("cli.measuring.shared_card", "--seeds"): {"card"},
    ("cli.projecting.origin", "--any-checkpoint"): {
        "compare", "convert-latents", "demo", "inversion-report", "reproduce", "separability",
    },
    ("cli.projecting.saved_latents", "--noise"): {
        "compare", "convert-latents", "demo", "directions", "interpolate", "inversion-report",
        "mix", "project", "reproduce", "separability", "tune",
    },
    ("cli.projecting.returning_faces", "--crop"): {"paste-back"},  # tells what project has
    ("cli.reports.tables", "--overwrite"): {"train"},
    ("cli.reports.description", "--class"): {"info"},  # tells what generate has
    ("cli.reports.description", "--lod"): {"info"},
}  # fmt: skip


def texts(tree):
    """The strings of a module that are no docstrings; holes of formatted ones become {}."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    }
    parts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            yield "".join(
                part.value if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
                for part in node.values
            )
    for node in ast.walk(tree):
        plain = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if plain and id(node) not in docs | parts:
            yield node.value


def arguments_named(tree):
    """The arguments that a module's messages name: in backticks, or as the name of a check."""
    for text in texts(tree):
        yield from NAME.findall(text.replace("[{i}]", "[i]").replace("{prefix}", "start."))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            place = 1 if called in CHECKS else -1 if called in SHAPES else None
            if place is not None and len(node.args) > 1:
                named = node.args[place]
                yield from [named.value] if isinstance(named, ast.Constant) else []


def known(argument):
    return any(option_for(command, argument) for command in main.commands.values())


def library():
    for file in MODULES:
        name = name_of(file)
        if not name.startswith(("cli/", *OF_FILES)) and not OF_NETWORKS.fullmatch(name):
            yield name, parsed(file)


def test_every_argument_that_the_library_names_has_words_or_never_reaches_the_command_line():
    wrong, found = [], {}
    for name, tree in library():
        for argument in arguments_named(tree):
            found.setdefault(name, set()).add(argument)
            if not known(argument) and argument not in NOT_FOR_THE_COMMAND_LINE.get(name, ()):
                wrong.append(f"{name}: `{argument}` is no option of any command")
    assert wrong == []
    assert sum(map(len, found.values())) > 50  # it reads something
    stale = {name: NOT_FOR_THE_COMMAND_LINE[name] - found.get(name, set())
             for name in NOT_FOR_THE_COMMAND_LINE}  # fmt: skip
    assert {name: names for name, names in stale.items() if names} == {}


def test_the_library_speaks_of_no_options():
    """Except in whole commands, such as `latentlab generate --projected-w`."""
    wrong = [
        f"{name}: {text}"
        for name, tree in library()
        for text in texts(tree)
        if OPTION.search(re.sub(r"`latentlab [^`]*`", "", text))
    ]
    assert wrong == []


def reached_by(module):
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in FILES and name not in found:
            found.add(name)
            waiting += imported_by(name)
    return found


def test_what_commands_share_speaks_of_options_that_all_of_them_have():
    wrong = {}
    for command, found in main.commands.items():
        own = {option for parameter in found.params for option in parameter.opts} | {"--help"}
        for module in reached_by(found.callback.__module__):
            if room_of(module) in (None, "commands", "options") or module == wording():
                continue
            for text in texts(parsed(FILES[module])):
                for option in OPTION.findall(re.sub(r"`latentlab [^`]*`", "", text)):
                    if option not in own:
                        wrong.setdefault((module, option), set()).add(command)
    assert {
        key: commands - NEVER_REACHED.get(key, set())
        for key, commands in wrong.items()
        if commands - NEVER_REACHED.get(key, set())
    } == {}


def wording():
    return told.__module__


# Messages.


@pytest.fixture(scope="module")
def place(saved, tmp_path_factory):
    """A folder with models, pictures and latents that something is wrong with."""
    folder = tmp_path_factory.mktemp("wrong")
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    latentlab.save(make_generator(**SMALL, c_dim=3), folder / "classes.safetensors")
    latentlab.save(make_progan(resolution=32), folder / "progan.safetensors")
    latentlab.save(make_generator(**SMALL | {"resolution": 16}), folder / "small.safetensors")
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, [32, 32, 3], np.uint8)) for _ in range(2)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    frames[0].resize([40, 32]).save(folder / "wide.png")
    frames[0].resize([4, 4]).save(folder / "tiny.png")
    for name, size, more in (("odd", [12, 8], {}), ("films", [32, 32], {"save_all": True,
                             "append_images": frames[1:]}), ("set", [64, 64], {})):  # fmt: skip
        (folder / name).mkdir()
        frames[0].resize(size).save(folder / name / "a.webp", **more)
    (folder / "points.csv").write_text(
        "picture,left_eye_x,left_eye_y,right_eye_x,right_eye_y,"
        "left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y\n"
        "tiny.png,1,1,2,1,1,2,2,2\n"
    )
    (folder / "there.safetensors").write_bytes(b"x")
    return folder


EDIT = "--directions directions.safetensors --direction smile"
MESSAGES = [
    ("generate classes.safetensors --seeds 0 --class 9",
     "--class must be 0 to 2 for this generator, but got 9"),
    ("mix classes.safetensors --rows 0 --cols 1 --class 9",
     "--class must be 0 to 2 for this generator, but got 9"),
    ("interpolate classes.safetensors --seeds 0,1 --class 9",
     "--class must be 0 to 2 for this generator, but got 9"),
    (f"edit classes.safetensors --seeds 0 --class 9 {EDIT}",
     "--class must be 0 to 2 for this generator, but got 9"),
    ("directions classes.safetensors --class 9",
     "--class must be 0 to 2 for this generator, but got 9"),
    ("project classes.safetensors film.gif --class 9 --distance builtin:digits",
     "--class must be 0 to 2 for this generator, but got 9"),
    ("generate model.safetensors --seeds 0 --class 1",
     "this generator has no labels; leave --class out"),
    ("generate model.safetensors --seeds 0 --lod 1",
     "--lod is for growing networks; this one has a fixed resolution"),
    ("mix model.safetensors --rows 0 --cols 1 --layers 9",
     "this generator has layers 0 to 7, but --layers is 9"),
    (f"edit model.safetensors --seeds 0 --layers 9 {EDIT}",
     "this generator has layers 0 to 7, but --layers is 9"),
    ("directions model.safetensors --layers 9",
     "this generator has layers 0 to 7, but --layers is 9"),
    ("directions model.safetensors --components 13",
     "--components must be 1 to 12 for this generator, but got 13"),
    ("interpolate model.safetensors --seeds 0,1 --video walk.gif --fps 60",
     "--fps must be 1 to 50 for .gif, but got 60.0"),
    ("ppl progan.safetensors --distance builtin:digits --samples 10",
     "this generator has no W; give --protocol ppl_zend or ppl_zfull, whose paths are in Z"),
    ("ppl model.safetensors --distance charm",
     "--distance must be lpips-vgg, lpips-alex, lpips-squeeze, builtin:digits, a .safetensors of "
     "LPIPS or a TorchScript file, but got 'charm'"),
    ("separability progan.safetensors --classifier builtin:digits-classifier --space w "
     "--samples 20", "this generator has no W; measure in Z: --space z"),
    ("directions progan.safetensors",
     "a Progressive GAN has no W: no mapping, no w, no truncation; take a StyleGAN instead"),
    ("noise model.safetensors --fine-from 4 --samples 1 --draws 2",
     "--fine-from must leave layers on both sides, but got 4; this generator can be split from: "
     "8, 16, 32"),
    ("project model.safetensors film.gif --distance builtin:digits",
     "film.gif: a GIF (its content is none of PNG, JPEG, WEBP, BMP, TIFF); save the frame you "
     "want as PNG, or take the first with --first-frame"),
    ("align film.gif --landmarks points.csv",
     "film.gif: a GIF (its content is none of PNG, JPEG, WEBP, BMP, TIFF); save the frame you "
     "want as PNG, or take the first with --first-frame"),
    ("attribution model.safetensors film.gif --distance builtin:digits",
     "no real picture can be used: film.gif: a GIF (its content is none of PNG, JPEG, WEBP, BMP, "
     "TIFF); save the frame you want as PNG"),
    ("train --data films --config stylegan2-small --dry-run",
     "films/a.webp: animated or of several pages; save the frame you want as PNG"),
    ("project model.safetensors wide.png --crop none --distance builtin:digits",
     "wide.png: 40x32 is not square; crop it, or use --crop center"),
    ("attribution model.safetensors wide.png --crop none --distance builtin:digits",
     "no real picture can be used: wide.png: 40x32 is not square; crop it, or use --crop center"),
    ("project model.safetensors tiny.png --distance builtin:digits",
     "tiny.png: 4x4 would be enlarged 8.0 times; take a larger picture, or allow more than 4 by "
     "--max-upscale"),
    ("attribution model.safetensors tiny.png --distance builtin:digits",
     "no real picture can be used: tiny.png: 4x4 would be enlarged 8.0 times; take a larger "
     "picture"),
    ("project model.safetensors set --w-plus-pull 1 --distance builtin:digits",
     "--w-plus-pull pulls W+ towards W; give it with --space w+"),
    ("project model.safetensors set --start projections/anna/projected_w.npz "
     "--distance builtin:digits --steps 1",
     "--start has rows that differ: that is W+; use --space w+"),
    ("train --data odd --dry-run",
     "odd: the first picture is 12x8, not a square whose side is a power of two; give "
     "--resolution to crop and resize all pictures"),
    ("train --data builtin:digits --resolution 64 --dry-run",
     "builtin:digits has pictures of 32x32, not of 64x64; leave --resolution out, or take another "
     "--data"),
    ("fidelity small.safetensors --data builtin:digits",
     "builtin:digits has pictures of 32x32, not of 16x16; give other pictures as --data"),
    ("train --data set --labels --dry-run",
     "set: labels were asked for, but it has no dataset.json; leave --conditional out"),
    ("train --data set --config charm --dry-run", "--config must be one of "),
    ("train --data set --config stylegan1-wgan --gamma 1 --dry-run",
     "--config stylegan1-wgan has a gradient penalty instead of R1; leave --gamma out"),
    ("train --data builtin:digits --config stylegan2-small --from model.safetensors --dry-run",
     "model.safetensors: no discriminator (D) inside"),
    ("generate model.safetensors --seeds 0 -o there.safetensors",
     "there.safetensors: is a file, not a folder; give another --output"),
    ("generate model.safetensors --projected-w projections/anna/projected_w.npz "
     "-o projections/anna --overwrite --noise projections/ben/none.npz",
     "projections/ben/none.npz: no such file"),
    ("convert model.safetensors there.safetensors",
     "there.safetensors exists; use --overwrite, or give another OUT"),
    ("convert model.safetensors model.pt",
     "model.pt: a name ending in .pt does not say what to write; --to must be one of rosinality, "
     "yuuho, safetensors, nvidia-state"),
    ("train-classifier there.safetensors",
     "there.safetensors exists; use --overwrite, or give another OUT.safetensors"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), MESSAGES, ids=[line for line, _ in MESSAGES])
def test_a_message_speaks_in_the_options_of_the_command(line, message, place, monkeypatch):
    monkeypatch.chdir(place)
    name, *arguments = shlex.split(line)
    command = main.commands[name]
    required = any(p.name == "output" and p.required for p in command.params)
    output = ["-o", "out"] if required and "-o" not in arguments else []
    done = CliRunner().invoke(main, [name, *arguments, *output])
    assert done.exit_code not in (0, 1), done.output
    said = " ".join(done.stderr.split())
    assert message in said
    assert_in_words_of(command, said)
    shutil.rmtree(place / "out", ignore_errors=True)


def assert_in_words_of(command, text):
    own = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    rest = re.sub(r"`(latentlab|pip) [^`]*`", "", text)
    assert "`" not in rest
    assert set(OPTION.findall(rest)) <= own


def test_a_missing_opencv_is_told_with_what_else_there_is(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setitem(sys.modules, "cv2", None)
    done = CliRunner().invoke(main, ["align", "wide.png", "--face-model", "m.onnx", "-o", "out"])
    assert done.stderr == (
        "Error: finding faces needs OpenCV; pip install 'latentlab[faces]', or give --landmarks\n"
    )


def test_a_comparison_says_in_its_own_words_what_does_not_apply(place, monkeypatch):
    monkeypatch.chdir(place)
    done = CliRunner().invoke(main, [
        "compare", "progan.safetensors", "model.safetensors", "--metric", "ppl", "--distance",
        "builtin:digits", "--samples", "ppl=20", "-o", "versus",
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    page = (place / "versus/report.html").read_text(encoding="utf-8")
    assert "give --protocol ppl_zend or ppl_zfull, whose paths are in Z" in page
    assert "`space`" not in page


@pytest.mark.parametrize(("command", "words"), [
    ("project", "it is bad; use --crop center, or give --landmarks"),
    ("attribution", "it is bad; use --crop center"),
    ("ppl", "it is bad"),
])  # fmt: skip
def test_advice_is_given_where_the_command_has_the_option(command, words):
    error = ImageError("it is bad", advice=["use `crop` center", "give `landmarks`"])
    assert told(error, main.commands[command]) == words
    assert str(error) == "it is bad; use `crop` center, or give `landmarks`"


def test_an_error_keeps_its_advice_and_its_kind_in_another_place():
    error = SettingsError("`steps` must be 1", advice=["lower `steps`"]).at("a.png")
    assert type(error) is SettingsError
    assert told(error, main.commands["project"]) == "a.png: --steps must be 1; lower --steps"
