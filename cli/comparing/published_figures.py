"""The published figures that a page shows beside what was measured, and what they compare with."""

from collections.abc import Iterator, Sequence

import pandas as pd

from cli.comparing.comparison import Measured
from cli.measuring.results import Results
from metrics.path_protocols import PROTOCOLS
from metrics.published_figures import Figure, published

HEADING = "Published figures, for orientation"
_SYSTEMS = ("StyleGAN (published)", "StyleGAN2 (published)")
_NOT_HERE = (
    "Published by the authors for FFHQ at 1024x1024, not measured here; other pictures and other "
    "perceptual networks give other figures. Separability is held against them by the published "
    "solver alone, which this comparison uses."
)
# What is shown: a measure, and by system the table and the row that have it.
_README = ("stylegan-readme", "F"), ("stylegan2-readme", "F")
_PAPERS = ("stylegan-table4", "stylebased-8"), ("stylegan2-table1", "F")
_BASELINE = ("stylegan2-table1", "A"), ("stylegan2-table1", "F")
_ROWS = (
    *((measure, measure, "READMEs", _README) for measure in PROTOCOLS),
    ("ppl_wfull", "ppl_wfull", "papers", _PAPERS), ("ppl_wend", "ppl_wend", "papers", _PAPERS),
    ("ppl2_wend", "ppl2_wend", "StyleGAN2's paper", _BASELINE),
    ("ls z", "separability_z", "READMEs", _README), ("ls w", "separability_w", "READMEs", _README),
    ("fid", "fid", "READMEs", _README), ("fid", "fid", "papers", _PAPERS),
    ("precision", "precision", "StyleGAN2's paper", _BASELINE),
    ("recall", "recall", "StyleGAN2's paper", _BASELINE),
)  # fmt: skip


def add_published(results: Results, measured: Sequence[Measured]) -> None:
    """Show the published figures of both systems, with where they were read."""
    results.page.section(HEADING, _NOT_HERE, *_other_solvers(measured))
    frame, figures = orientation()
    results.page.table(frame)
    for line in doubts(figures):
        results.page.text(line)
    keys = dict.fromkeys(key for figure in figures for key in figure.sources)
    sources = [published().sources[key] for key in keys]
    results.page.text(f"Read in: {'; '.join(f'{s.title}, {s.address}' for s in sources)}.")


def orientation() -> tuple[pd.DataFrame, list[Figure]]:
    """Return the table, and the figures that it shows."""
    rows, shown = [], []
    for name, measure, source, places in _ROWS:
        found = [_figure(*place, measure) for place in places]
        if any(found):
            cells = {system: "" if figure is None else marked(figure)
                     for system, figure in zip(_SYSTEMS, found, strict=True)}  # fmt: skip
            rows.append({"measure": name, **cells, "in": source})
            shown += [figure for figure in found if figure is not None]
    return pd.DataFrame(rows), list(dict.fromkeys(shown))


def marked(figure: Figure) -> str:
    """Write a published number, with a mark where it was not read in two texts."""
    return figure.printed + {0: " **", 1: " *"}.get(len(figure.sources), "")


def doubts(figures: Sequence[Figure]) -> list[str]:
    """Say how many of some figures were not read in two texts, and which marks they have."""
    counts = {number: sum(len(f.sources) == number for f in figures) for number in (1, 0)}
    lines = [f"* read in one text alone: {counts[1]} of {len(figures)} numbers."] * (counts[1] > 0)
    if counts[0]:
        lines.append(f"** not checked, as no text was found that quotes the paper's: {counts[0]} "
                     f"of {len(figures)} numbers.")  # fmt: skip
    return lines


def _figure(table: str, row: str, measure: str) -> Figure | None:
    return published().tables[table].figure(row, "ffhq", measure)


def _other_solvers(measured: Sequence[Measured]) -> Iterator[str]:
    """Name the models whose separability an earlier run has measured by another solver."""
    names = [each.label for each in measured
             if (found := each.of("separability")) and not found.settings.get("dual")]  # fmt: skip
    if names:
        yield (
            f"The scores of {', '.join(names)} are of an earlier run, by another solver than the "
            "published one, whose scores are higher as a rule."
        )
