import re
import shlex
import signal
import sys

import click
import pytest
from click.testing import CliRunner

import latentlab
from cli.main import main
from cli.options.values import float_list, layer_list, number_list
from cli.running.interrupt import unwind_on_sigterm
from latentlab.latents import STYLE_RANGES
from tests.support.forked import command_lines

COMMANDS = sorted(main.commands)
HEAVY = {
    "torch", "pandas", "matplotlib", "sklearn", "scipy", "PIL", "sympy", "skimage", "pyarrow",
    "torchvision", "torch._dynamo",
}  # fmt: skip


@pytest.fixture(scope="module")
def lines():
    with command_lines(HEAVY) as opened:
        yield opened


@pytest.fixture
def run(lines, tmp_path):
    return lambda *arguments: lines.run(arguments, tmp_path)


def examples(command):
    """The command lines under "Example:" in a command's help."""
    text = (command.help or "").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if re.match(r"\s+latentlab ", line)]


# What is imported, and when.


@pytest.mark.parametrize("command", ["generate --seeds 1 -o out", "info"])
def test_what_a_small_command_does_not_need_stays_closed(command, run):
    """Each would take longer to import than the picture takes, sympy and pandas a second."""
    name, *options = command.split()
    done = run(name, "builtin:digits-stylegan2", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "imported: PIL torch"


def test_the_first_words_on_a_terminal_come_before_torch(monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("cli.first_words.say", lambda text: said.append(text))
    for line in ("ppl builtin:digits-stylegan2", "align photos"):
        words = [*line.split(), "-o", str(tmp_path / "out")]
        with main.make_context("latentlab", words) as ctx, monkeypatch.context() as patch:
            for module in ("cli.measuring.path_lengths", "cli.pictures.alignment"):
                patch.setitem(sys.modules, module, None)  # both import torch; not to be had
            with pytest.raises(ImportError):
                main.invoke(ctx)
    assert said == ["Opening builtin:digits-stylegan2 ...", "Starting ..."]


# Help.


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_imports_nothing_heavy(command, run, tmp_path):
    done = run(*([command] if command else []), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: latentlab {command or '[OPTIONS]'}")
    assert done.stderr == "imported:\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [None, *COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_r06_help_fits_a_terminal_of_80_columns(command, flag):
    arguments = [command, flag] if command else [flag]
    result = CliRunner(env={"COLUMNS": "80"}).invoke(main, arguments)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", [main, *main.commands.values()], ids=lambda c: c.name)
def test_r05_help_shows_an_example(command):
    assert examples(command)


@pytest.mark.parametrize("line", [line for c in main.commands.values() for line in examples(c)])
def test_examples_in_the_help_are_accepted(line):
    program, name, *arguments = shlex.split(line)
    context = main.commands[name].make_context(name, arguments)
    assert program == "latentlab"
    assert context.params


@pytest.mark.parametrize("command", main.commands.values(), ids=lambda c: c.name)
def test_every_option_is_explained(command):
    unexplained = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert unexplained == []


def test_the_version_is_the_packages(run):
    done = run("--version")
    assert done.stdout == f"latentlab, version {latentlab.__version__}\n"
    assert done.stderr == "imported:\n"


# Usage errors.


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("genrate", "No such command 'genrate'"),
        ("--frob", "No such option"),
        ("generate", "CKPT"),
        ("generate m --seeds 0", "--output"),
        ("generate m -o out", "--seeds or --projected-w"),
        ("generate m --seeds 0 --projected-w w.npz -o out", "--seeds or --projected-w"),
        ("generate m --seeds 0 --noise n.npz -o out", "--projected-w"),
        ("generate m --seeds 9-1 -o out", "9-1"),
        ("generate m --seeds 1-1000000000 -o out", "too many"),
        ("generate m --seeds -1 -o out", "-1"),
        ("generate m --seeds x -o out", "'x'"),
        ("generate m --seeds 0 --class -1 -o out", "-1"),
        ("generate m --seeds 0 --truncation-psi half -o out", "half"),
        ("generate m --seeds 0 --truncation-psi nan -o out", "nan"),
        ("generate m --seeds 0 --truncation-psi inf -o out", "inf"),
        ("generate m --seeds 0 --truncation-cutoff -1 -o out", "-1"),
        ("generate m --seeds 0 --noise-mode loud -o out", "loud"),
        ("generate m --seeds 0 --frob -o out", "--frob"),
        ("generate m --seeds 0 --truncation-psi 1,,0 -o out", "''"),
        ("generate m --seeds 0 --truncation-psi 1,nan -o out", "nan"),
        ("generate m --seeds 0 --lod -1 -o out", "-1"),
        ("generate m --projected-w w.npz --truncation-psi 1,0 -o out", "--seeds"),
        ("mix m --rows 0 -o out", "--cols or --col-w"),
        ("mix m --cols 0 -o out", "--rows or --row-w"),
        ("mix m --rows 0 --cols 1", "--output"),
        ("mix m --rows 9-1 --cols 1 -o out", "9-1"),
        ("mix m --rows 0-999 --cols 0-999 -o out", "1,002,001 pictures"),
        ("mix m --rows 0 --cols 1 --layers pose -o out", "coarse, middle, fine"),
        ("mix m --rows 0 --cols 1 --layers 3-1 -o out", "3-1"),
        ("mix m --rows 0 --cols 1 --layers -1 -o out", "-1"),
        ("mix m --rows 0 --cols 1 --layers 0,0-1 --layers 0-1 -o out", "twice"),
        ("mix m --rows 0 --cols 1 --truncation-psi inf -o out", "inf"),
        ("info", "CKPT"),
        ("convert m", "OUT"),
        ("card m", "OUT"),
        ("convert-latents w.npz", "OUT"),
        ("convert-latents w.npz out.txt", "out.txt does not say what to write; give --to"),
        ("convert-latents w.npz out.npy --num-ws 0", "--num-ws"),
        ("inversion-report -o out", "Give DIR, or --targets and --results"),
        ("inversion-report w", "--output"),
        ("inversion-report --targets t -o out", "--targets and --results go together"),
        ("inversion-report w --results r -o out", "--targets and --results go together"),
        (
            "inversion-report --targets t --targets u --results r --results s --results v -o out",
            "Give --targets once for all --results, or 3 times",
        ),
        (
            "inversion-report --targets t --targets u --results r -o out",
            "Give --targets once, not 2 times.",
        ),
        ("inversion-report w --score none --score fid -o out", "--score none goes with no other"),
        ("inversion-report w --face-crop none -o out", "--face-crop goes with --identity"),
        ("inversion-report w --identity no-file.pt -o out", "no-file.pt"),
        ("spectrum a b --name a -o out", "for each source"),
        ("project m -o out", "PICTURE"),
        ("project m p.png", "--output"),
        ("project m p.png --steps 0 -o out", "--steps"),
        ("project m p.png --encoder-type Encoder4Editing -o out", "--encoder-type goes with"),
        ("project m p.png --encoder e --start s -o out", "--encoder or --start"),
        ("project m p.png --steps many -o out", "many"),
        ("project m p.png --space v -o out", "space"),
        ("project m p.png --seed -1 -o out", "--seed"),
        ("project m p.png --batch 0 -o out", "--batch"),
        ("project m p.png --crop left -o out", "left"),
        ("project m p.png --max-upscale 0.5 -o out", "--max-upscale"),
        ("project m p.png --max-upscale nan -o out", "--max-upscale"),
        ("project m p.png --learning-rate 0 -o out", "--learning-rate"),
        ("project m p.png --learning-rate nan -o out", "--learning-rate"),
        ("project m p.png --noise-weight inf -o out", "--noise-weight"),
        ("separability -o out", "CKPT and --classifier, or --latents and --labels"),
        ("separability m -o out", "CKPT and --classifier"),
        ("separability --latents w.npz -o out", "--latents and --labels go together"),
        ("separability m --latents w.npz --labels l.csv -o out", "without CKPT"),
        ("separability --latents w --labels l --space z,w -o out", "one space"),
        ("separability m --classifier c", "--output"),
        ("separability m --classifier c --layer 1 -o out", "--layer goes with --latents"),
        ("separability m --classifier c --samples 9 --keep 10 -o out", "more than --samples"),
        ("separability m --classifier c --outputs labels -o out", "labels"),
        ("separability m --classifier c --space w+ -o out", "w+"),
        ("noise m", "--output"),
        ("noise m --samples 0 -o out", "--samples"),
        ("noise m --draws 1 -o out", "--draws"),
        ("noise m --fine-from 0 -o out", "--fine-from"),
        ("noise m --truncation-psi nan -o out", "nan"),
        ("attribution m -o out", "REAL"),
        ("attribution m p.png", "--output"),
        ("attribution m p.png --generated 0 -o out", "--generated"),
        ("attribution m p.png --most-real 0 -o out", "--most-real"),
        ("attribution m p.png --steps 0 -o out", "--steps"),
        ("attribution m p.png --space z -o out", "space"),
        ("attribution m p.png --truncation-psi inf -o out", "inf"),
        ("attribution m p.png --crop left -o out", "left"),
        ("train -o out", "--data"),
        ("train --data d --kimg 0 -o out", "--kimg"),
        ("train --data d --channels 2 -o out", "--channels"),
        ("train --data d --mapping-layers -1 -o out", "--mapping-layers"),
        ("train --data d --mixing-probability 2 -o out", "--mixing-probability"),
        ("train --data d --generator-architecture dense -o out", "--generator-architecture"),
        ("train --data d --loss hinge -o out", "--loss"),
        ("train-classifier", "OUT"),
        ("train-classifier c.safetensors --epochs 0", "--epochs"),
        ("demo --steps 0 -o out", "--steps"),
        ("ppl", "CKPT"),
        ("ppl m", "--output"),
        ("ppl m --protocol ppl_xend -o out", "ppl_xend"),
        ("ppl m --samples 0 -o out", "--samples"),
        ("ppl m --relative-width 0 -o out", "--relative-width"),
        ("ppl m --relative-width nan -o out", "nan"),
        ("ppl m --report numbers.xls -o out", "numbers.xls"),
        ("ppl m --report a/b.csv -o out", "a/b.csv"),
        ("ppl m --noise none -o out", "none"),
        ("droplets", "CKPT"),
        ("droplets m --threshold 0 -o out", "--threshold"),
        ("droplets m --batch 0 -o out", "--batch"),
        ("contributions -o out", "CKPT"),
        ("contributions m --samples many -o out", "many"),
        ("compare a -o out", "two models or more"),
        ("compare a b --samples ppl -o out", "ppl"),
        ("compare a b --metric charm -o out", "charm"),
        ("compare a b --metric separability -o out", "--classifier"),
        ("reproduce stylegan-table9 a -o out", "stylegan-table9"),
        ("reproduce stylegan-table1 a -o out", "--data"),
        ("reproduce stylegan2-projection a -o out", "--real"),
        ("fidelity m -o out", "--data"),
        ("fidelity m --data d", "--output"),
        ("fidelity m --data d --metric isc -o out", "isc"),
        ("fidelity m --data d --samples 0 -o out", "--samples"),
        ("fidelity m --data d --weights none.pth -o out", "none.pth"),
    ],
)
def test_r04_usage_errors_answer_at_once(line, words, run, tmp_path):
    done = run(*line.split())
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *_, message, imported = done.stderr.splitlines()
    assert words in message
    assert imported == "imported:"
    assert list(tmp_path.iterdir()) == []


# Numbers.


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("5", [5]),
        ("0,3,8-15", [0, 3, 8, 9, 10, 11, 12, 13, 14, 15]),
        ("7-7", [7]),
        ("4,2,2", [4, 2, 2]),
        (" 1 , 2-3 ", [1, 2, 3]),
        ("007", [7]),
        ("4294967295", [2**32 - 1]),
    ],
)
def test_number_lists(text, numbers):
    assert number_list(text) == numbers


def test_a_number_list_may_hold_a_million():
    assert len(number_list("1-1000000")) == 10**6


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ",", "1,", ",1", "1,,2", "x", "1.5", "1e3", "0x10", "1_000", "²", "half",
        "-1", "1,-2", "-3--1", "1-", "-", "1-2-3", "1 2", "1:3",
        "9-1", "0,9-8",
        "4294967296", "0-1000000", "0-999999,5", "1-100000000000000000000", "9" * 5000,
    ],
)  # fmt: skip
def test_r04_other_number_lists_are_usage_errors(text):
    with pytest.raises(click.BadParameter) as caught:
        number_list(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("text", "numbers"), [
    ("1", [1.0]), ("1,0.7,0,-0.5,-1", [1.0, 0.7, 0.0, -0.5, -1.0]), (" 1 , 2e-1 ", [1.0, 0.2]),
])  # fmt: skip
def test_lists_of_fractions(text, numbers):
    assert float_list(text) == numbers


@pytest.mark.parametrize("text", ["", ",", "1,", "half", "1,nan", "-inf", "1;2", "1," * 200 + "1"])
def test_other_lists_of_fractions_are_usage_errors(text):
    with pytest.raises(click.BadParameter):
        float_list(text)


def test_style_layers_are_names_or_numbers():
    names = ("coarse", "middle", "fine")
    assert names == tuple(STYLE_RANGES)
    for name in names:
        assert layer_list(name) == name
    assert layer_list("5,0-2,1") == [0, 1, 2, 5]


# Errors become one line and an exit code.


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (latentlab.SettingsError("bad setting"), 2),
        (latentlab.CheckpointError("bad checkpoint"), 3),
        (latentlab.UnsafeCheckpoint("bad checkpoint"), 3),
        (latentlab.ImageError("bad picture"), 4),
        (latentlab.LatentError("bad latents"), 4),
        (latentlab.NumericalError("NaN"), 5),
        (latentlab.OutputError("disk full"), 6),
    ],
)
def test_each_error_has_its_exit_code(error, code, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(latentlab, "load", fail)
    result = CliRunner().invoke(main, ["generate", "m", "--seeds", "0", "-o", str(tmp_path / "o")])
    assert result.exit_code == code
    assert (result.stdout, result.stderr) == ("", f"Error: {error}\n")


@pytest.mark.parametrize("words", [["help"], ["help", "ppl"], ["help", "nothing"]])
def test_help_is_a_word_too(words):
    meant, asked = (CliRunner().invoke(main, line) for line in ([*words[1:], "--help"], words))
    assert (asked.exit_code, asked.output) == (meant.exit_code, meant.output)


def test_an_interruption_is_told_by_the_exit_code(monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(latentlab, "load", interrupt)
    result = CliRunner().invoke(main, ["generate", "m", "--seeds", "0", "-o", str(tmp_path / "o")])
    assert (result.exit_code, result.stderr) == (
        130,
        "Interrupted. This command cannot continue: begin it again, with --overwrite if it has "
        "written files.\n",
    )


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("line", "words"), [
    ("project m p.png -o out", "The same command does what is left; what is finished is in the"),
    ("align p.png --landmarks l.csv -o out", "The same command does what is left"),
    ("train --data d -o out", "The same command continues from the last snapshot."),
    ("info m", "This command cannot continue: begin it again."),
])  # fmt: skip
def test_an_interruption_says_whether_the_command_continues(line, words, sign, code, monkeypatch):
    name, *arguments = line.split()

    @unwind_on_sigterm()
    def interrupted(**_):
        signal.raise_signal(sign)

    monkeypatch.setattr(main.commands[name], "callback", interrupted)
    result = CliRunner().invoke(main, [name, *arguments])
    assert result.exit_code == code
    assert words in result.stderr


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_measurement_continues_and_says_so(sign, code, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        signal.raise_signal(sign)

    line = ["ppl", "builtin:digits-stylegan2", "--distance", "builtin:digits", "--samples", "8",
            "-o", str(tmp_path / "out")]  # fmt: skip
    with monkeypatch.context() as patched:  # after the first batch
        patched.setattr("cli.measuring.work.ProgressBar.move_to", interrupt)
        result = CliRunner().invoke(main, line)
    assert result.exit_code == code
    assert result.stderr.endswith(
        f"Interrupted. The same command continues; what is finished is in {tmp_path / 'out'}.\n"
    )
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 0
    assert "continuing where it was stopped" in result.stderr


def test_a_mistake_of_our_own_is_not_hidden(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(latentlab, "load", fail)
    result = CliRunner().invoke(main, ["generate", "m", "--seeds", "0", "-o", str(tmp_path / "o")])
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(("rank", "said"), [("0", True), ("1", False)])
def test_a_usage_error_of_all_processes_is_said_by_the_main_one(monkeypatch, rank, said):
    monkeypatch.setenv("RANK", rank)
    done = CliRunner().invoke(main, ["ppl", "x.pkl", "--samples", "many"])
    assert done.exit_code == 2
    assert ("many" in done.stderr) == said


def test_a_usage_error_of_one_process_is_said_by_it(monkeypatch):
    def refuse(_):
        error = click.BadParameter("no such device")
        error.add_note("process 1 of 2")
        raise error

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("cli.models.open_model", lambda *_: refuse(_))
    done = CliRunner().invoke(main, ["ppl", "x.pkl", "-o", "out"])
    assert (done.exit_code, "no such device" in done.stderr) == (2, True)


@pytest.mark.parametrize("command", sorted(
    name for name, each in main.commands.items() if any("--name" in p.opts for p in each.params)
))  # fmt: skip
def test_names_are_of_one_model_or_of_several(command):
    """As many as the command takes checkpoints, or folders of methods."""
    params = main.commands[command].params
    several = ("checkpoints", "folders")
    many = any(isinstance(each, click.Argument) and each.name in several for each in params)
    (help_text,) = (each.help for each in params if "--name" in each.opts)
    assert ("models" in help_text, "each" in help_text) == (many, many)
    table = ["stylegan2-fig8"] * (command == "reproduce")
    words = [command, *table, *["m.pkl", "n.pkl", "o.pkl"][: 1 + 2 * many]]
    needed = {"attribution": ["x.png"], "fidelity": ["--data", "d"],
              "separability": ["--classifier", "c"]}  # fmt: skip
    done = CliRunner().invoke(main, [*words, *needed.get(command, []), "--name", "a", "--name", "b",
                                     "-o", "o"])  # fmt: skip
    said = "3 times, not 2" if many else "Give --name once: there is one model."
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_a_seed_of_a_picture_is_called_a_seed():
    shown = " ".join(CliRunner().invoke(main, ["directions", "--help"]).stdout.split())
    assert "--picture SEED" in shown
    assert "4,294,967,295" not in shown
    for seed, said in (("4294967296", "is no seed; they are whole numbers below 4,294,967,296"),
                       ("-1", "'--picture': -1 is not in the range 0 or more")):  # fmt: skip
        done = CliRunner().invoke(main, ["directions", "m", "--picture", seed, "-o", "o"])
        assert (done.exit_code, said in " ".join(done.stderr.split())) == (2, True), done.stderr
