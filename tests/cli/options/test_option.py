"""What help shows of options, and that one option is one thing in all commands."""

import re
from collections import defaultdict

import click
import pytest
from click.testing import CliRunner

from cli.main import main
from cli.options.option import Option, in_words

COMMANDS = sorted(main.commands)
OPTIONS = [
    (command, parameter)
    for command in COMMANDS
    for parameter in main.commands[command].params
    if isinstance(parameter, click.Option)
]

# Options whose values have another form in some command, and why that is no other meaning.
FORMS = {
    "--samples": "compare takes a count for each metric",
    "--truncation-psi": "generate takes several, for a strip of pictures",
    "--space": "each command names the spaces that it can work in",
    "--metric": "each command names the metrics that it has",
    "--noise-mode": "each command names the modes that it has",
    "--crop": "only project finds faces",
    "--layers": "mix takes several, for several grids",
    "--protocol": "compare takes several",
    "--data": "reproduce takes several, for rows with data sets of their own",
    "--class": "commands that make pictures take several",
    "--to": "each command names what it can write",
    "--distance": "inversion-report takes several",
    "--direction": "paste-back takes the name of a folder of frames",
    "--projected-w": "edit takes several files or folders",
}
# Options whose help says what their one meaning is for in each command.
USES = {
    "--batch", "--class", "--classifier", "--crop", "--data", "--direction", "--distance",
    "--frames", "--html", "--identity",
    "--json", "--labels", "--latents", "--layers", "--learning-rate", "--limit", "--metric",
    "--mirror", "--name", "--noise-mode", "--overwrite", "--projected-w", "--protocol", "--real",
    "--samples", "--seed", "--seeds", "--space", "--steps", "--strengths", "--to",
    "--truncation-psi", "--tuning", "--video", "--weights",
}  # fmt: skip
OLD = {  # spellings of earlier versions: command, old, new
    ("ppl", "--noise", "--noise-mode"), ("droplets", "--noise", "--noise-mode"),
    ("paste-back", "--face", "--face-file"), ("project", "--latents", "--latents-file"),
    ("train", "--labels", "--conditional"),
}  # fmt: skip


def help_of(command, columns=80):
    widths = {"terminal_width": columns, "max_content_width": columns}
    result = CliRunner().invoke(main, [*command, "--help"], **widths)
    assert result.exit_code == 0
    return result.stdout


def form(option):
    """What a value looks like: its type, how many there may be, and what the help calls it."""
    kind = option.type
    words = kind.choices if isinstance(kind, click.Choice) else option.metavar
    parser = getattr(getattr(kind, "func", None), "__qualname__", "").split(".")[0]
    return type(kind).__name__, parser, str(words), option.is_flag, option.multiple


def by_name():
    found = defaultdict(list)
    for command, option in OPTIONS:
        for name in [*option.opts, *option.secondary_opts]:
            found[name].append((command, option))
    return {name: uses for name, uses in found.items() if len(uses) > 1}


# Help in words.


@pytest.mark.parametrize("command", [[], *([each] for each in COMMANDS)], ids=" ".join)
def test_help_shows_no_internals(command):
    text = help_of(command, 400)
    for pattern in (r"[<>]=", r"x[<>]", "None", r"default: \(", "Sentinel", r"\[[^\]]*\d{5}"):
        assert not re.search(pattern, text), (pattern, re.search(f".*{pattern}.*", text))
    assert not re.search(r"default: [^\];]*\.0[\];]", text)


def test_the_list_of_commands_breaks_no_sentence_off():
    assert "..." not in help_of([]).partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_help_points_to_is_there(command):
    text = help_of([command], 400)
    assert "see above" not in text
    for heading in re.findall(r'see "([^"]+)" above', text):
        assert re.search(rf"^  {heading}\b", text, re.MULTILINE), heading
    for other in re.findall(r"see `latentlab ([^ `]+) --help`", text):
        assert other in main.commands


@pytest.mark.parametrize(("settings", "words"), [
    ({"type": click.IntRange(min=1)}, "1 or more"),
    ({"type": click.IntRange(0, 1)}, "0 to 1"),
    ({"type": click.IntRange(1, 10**7), "default": 50_000}, "default: 50,000; 1 to 10,000,000"),
    ({"type": click.FloatRange(min=0, min_open=True), "default": 1.0}, "default: 1; above 0"),
    ({"type": click.FloatRange(max=2.5)}, "2.5 or less"),
    ({"type": click.FloatRange(0, 1, max_open=True)}, "0 or more and below 1"),
    ({"type": click.IntRange(min=0), "default": 3e-4}, "default: 0.0003"),
    ({"multiple": True, "default": ["a", "b"]}, "default: a, b"),
    ({"required": True}, "required"),
])  # fmt: skip
def test_defaults_and_ranges_are_written_as_people_do(settings, words):
    option = Option(["--x"], show_default=True, help="What.", **settings)
    context = click.Context(click.Command("c", params=[option]))
    assert option.get_help_record(context)[1] == f"What.  [{words}]"


def test_a_range_that_only_forbids_negative_numbers_is_not_shown():
    option = Option(["--x"], type=click.IntRange(min=0), help="What.")
    assert option.get_help_record(click.Context(click.Command("c")))[1] == "What."


@pytest.mark.parametrize(("text", "words"), [
    ("0", "0 is not in the range 1 to 10,000,000."), ("x", "not a valid integer"),
])  # fmt: skip
def test_numbers_out_of_range_are_refused_in_words(text, words):
    result = CliRunner().invoke(main, ["ppl", "m", "--samples", text, "-o", "o"])
    assert result.exit_code == 2
    assert words in result.stderr
    assert "--samples" in result.stderr


# One name, one meaning.


@pytest.mark.parametrize("name", sorted(by_name()))
def test_an_option_takes_the_same_in_all_commands(name):
    forms = {form(option) for _, option in by_name()[name]}
    assert (len(forms) > 1) <= (name in FORMS), forms


@pytest.mark.parametrize("name", sorted(by_name()))
def test_an_option_means_the_same_in_all_commands(name):
    texts = {option.help for _, option in by_name()[name]}
    assert (len(texts) > 1) <= (name in USES), texts


@pytest.mark.parametrize(("command", "old", "new"), sorted(OLD))
def test_old_spellings_still_work_and_are_not_shown(command, old, new):
    assert not re.search(rf"{old}[ ,]", help_of([command]))
    (option,) = (each for each in main.commands[command].params if new in each.opts)
    assert option.old == (old,)
    values = {"paste-back": ["x.png"], "project": ["l.parquet"], "ppl": ["const"], "train": []}
    value = values.get(command, ["random"])
    rest = {
        "ppl": ["m"], "droplets": ["m"], "paste-back": ["p"], "project": ["m", "p.png"],
        "train": ["--data", "d"],
    }[command]  # fmt: skip
    parsed = [
        main.commands[command].make_context(command, [*rest, name, *value, "-o", "o"]).params
        for name in (old, new)
    ]
    assert parsed[0] == parsed[1]
    assert parsed[0][option.name] not in (None, False, option.default)


def test_all_old_spellings_are_listed_here():
    assert {(c, old, o.opts[0]) for c, o in OPTIONS for old in o.old} == OLD


def test_a_mistake_in_an_old_spelling_names_the_new_one():
    result = CliRunner().invoke(main, ["ppl", "m", "--noise", "loud", "-o", "o"])
    assert result.exit_code == 2
    assert "'--noise-mode'" in result.stderr


def test_an_option_of_another_kind_stays_as_it_is():
    class Own(click.Option):
        pass

    own = Own(["--x"])
    assert in_words(click.Command("c", params=[own])).params == [own]
