"""The README of a published checkpoint: the model, how to open it, and what was measured of it."""

import json
from collections.abc import Sequence
from pathlib import Path

from cli.measuring.model_cards import card
from cli.measuring.saved import read_saved
from cli.models import Model
from cli.reports.numbers import in_words, rows_of
from cli.text import one_line, plain_text
from latentlab import DataError
from latentlab.checkpoints.checkpoint import licence_note
from latentlab.errors import shown
from latentlab.version import __version__
from metrics import MetricResult

NO_REPOSITORY = "OWNER/NAME"

_TOLD_ELSEWHERE = ("SHA-256", "file")  # than in the table
_TAGS = ("latentlab", "stylegan", "image-generation")
_ESCAPED = str.maketrans({"|": r"\|", "<": "&lt;", ">": "&gt;", "`": "'", "[": r"\[", "]": r"\]"})


def measured_of(model: Model, folders: Sequence[Path]) -> list[MetricResult]:
    """Return what folders of measurements hold of a model.

    Raises:
        DataError: If one holds no finished measurement, or none of this checkpoint.
    """
    found: list[MetricResult] = []
    for folder in folders:
        saved = read_saved(folder)
        if saved is None:
            raise DataError(f"{folder}: holds no finished measurement")
        digests = set(model.digests.values())
        own = [each for each in saved.models if each.facts.get("sha256") in digests]
        if not own:
            others = shown([str(each.facts.get("checkpoint")) for each in saved.models])
            raise DataError(
                f"{folder}: holds no numbers of {model.name}, only of {others}; give a folder that "
                "was measured with this checkpoint"
            )
        found += [result for each in own for result in each.results]
    return found


def card_text(model: Model, results: Sequence[MetricResult], repository: str) -> str:
    """Write the card as Markdown, with the head that the Hugging Face Hub reads."""
    title, facts = card(model)
    title = title if repository == NO_REPOSITORY else repository.partition("/")[2]
    told = [(label, text) for label, text in facts if label not in _TOLD_ELSEWHERE]
    licence = licence_note(model.opened)
    parts = [
        _head(licence),
        f"# {_plain(title)}",
        _table(("", ""), told),
        "## Open it",
        _opening(model, repository),
        *(["## Measured", _numbers(results)] if results else []),
        "## The file",
        f"SHA-256 `{model.sha256}`. {_licence(licence)}",
        f"Written by latentlab {__version__}.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _head(licence: str | None) -> str:
    """Write the YAML that the Hub reads; JSON is YAML."""
    own = licence == "MIT"
    lines = {"license": "mit" if own else "other", "library_name": "latentlab", "tags": [*_TAGS],
             "pipeline_tag": "unconditional-image-generation"}  # fmt: skip
    return "\n".join(
        ["---", *(f"{key}: {json.dumps(value)}" for key, value in lines.items()), "---"]
    )


def _licence(note: str | None) -> str:
    if note is None:
        return "The file says no licence."
    return _plain(note if " " in note else f"Licence: {note}.")


def _opening(model: Model, repository: str) -> str:
    file = model.opened.path.name
    python = [
        "import latentlab",
        "",
        f"ckpt = latentlab.from_pretrained({json.dumps(repository)}, {json.dumps(file)})",
        "g = ckpt.generator",
        "z = latentlab.latents.z_from_seeds([0, 1], g.z_dim)",
    ]
    labelled = bool(model.g.c_dim)
    python += [f"c = latentlab.latents.one_hot(0, {model.g.c_dim}).repeat(2, 1)"] * labelled
    truncated = ", truncation_psi=0.7" * model.g.has_w
    python += [f"images = g(z{', c' * labelled}{truncated})"]
    seeds = "--seeds 0-15" + " --class 0" * labelled
    address = f"hf://{repository}/{file}#sha256={model.sha256}"
    command = f'latentlab generate "{address}" {seeds} -o out'
    return "\n".join(["```python", *python, "```", "", "```bash", command, "```"])


def _numbers(results: Sequence[MetricResult]) -> str:
    rows = [
        (str(row["protocol"]), str(row["quantity"]), in_words(row), str(row["unit"]),
         f"{row['n']:,}", str(row["note"]))
        for result in results for row in rows_of(result)
    ]  # fmt: skip
    return _table(("protocol", "what", "value", "unit", "n", "to be doubted"), rows)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Return foreign text as one line that Markdown shows as it is."""
    return one_line(plain_text(text)).translate(_ESCAPED)
