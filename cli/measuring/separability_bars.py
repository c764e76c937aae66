"""Plots of linear separability: what each attribute leaves open in Z and W."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.reports.plot_style import QUIET, colour, new_figure, quieten, shortened

MOST = 48  # attributes drawn: those that leave most open

_THICKNESS = 0.36  # of a bar, where attributes are 1 apart
_NAMES = {"z": "in Z", "w": "in W"}


def bars(attributes: pd.DataFrame) -> Figure:
    """Draw the entropy of each attribute in each space, with its interval, as bars.

    ``attributes`` are MetricResult.samples of linear separability. A tick marks the entropy of the
    class itself: a bar that reaches it says that no plane tells anything.
    """
    names, spaces = drawn(attributes), list(dict.fromkeys(attributes["space"]))
    figure = new_figure(1.3 + len(names) * (0.13 + 0.17 * len(spaces)))
    axes = figure.add_subplot()
    where = np.arange(len(names))
    for i, space in enumerate(spaces):
        rows = attributes[attributes["space"] == space].iloc[names]
        at = where + (i - (len(spaces) - 1) / 2) * _THICKNESS
        axes.barh(at, rows["entropy"], _THICKNESS, color=colour(i), label=_NAMES.get(space, space))
        reach = np.stack([rows["entropy"] - rows["ci_low"], rows["ci_high"] - rows["entropy"]])
        axes.errorbar(rows["entropy"], at, xerr=np.nan_to_num(reach).clip(0), fmt="none",
                      ecolor="black", elinewidth=0.8, capsize=1.5)  # fmt: skip
    first = attributes[attributes["space"] == spaces[0]].iloc[names]
    axes.vlines(first["class_entropy"], where - 0.42, where + 0.42, color=QUIET, linewidth=1.2,
                label="of the class itself")  # fmt: skip
    _label(axes, first)
    handles, labels = axes.get_legend_handles_labels()  # the line comes first
    figure.legend(handles[1:] + handles[:1], labels[1:] + labels[:1], frameon=False,
                  loc="outside upper center", ncols=len(labels))  # fmt: skip
    return figure


def compared(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the entropies of several models side by side, one panel per space.

    ``tables`` are MetricResult.samples of linear separability by the model's name; attributes
    that all of them have are drawn, the MOST that leave most open in the first.
    """
    first = next(iter(tables.values()))
    common = first[["attribute", "entropy"]]
    for table in tables.values():
        common = common[common["attribute"].isin(table["attribute"])]
    hardest = common.groupby("attribute", sort=False)["entropy"].max()
    shown = [*hardest.index[hardest.index.isin(hardest.nlargest(MOST).index)]]
    spaces = list(dict.fromkeys(space for t in tables.values() for space in t["space"]))
    figure = new_figure(1.3 + len(shown) * (0.1 + 0.15 * len(tables)))
    panels = figure.subplots(1, len(spaces), sharey=True, squeeze=False)[0]
    thickness = 0.8 / len(tables)
    for axes, space in zip(panels, spaces, strict=True):
        for i, (name, table) in enumerate(tables.items()):
            rows = table[table["space"] == space].set_index("attribute").reindex(shown)
            at = np.arange(len(shown)) + (i - (len(tables) - 1) / 2) * thickness
            axes.barh(at, rows["entropy"], thickness, color=colour(i), label=shortened([name])[0])
        axes.set_yticks(range(len(shown)), shortened([str(name) for name in shown], 32))
        axes.set(xlabel="conditional entropy, bits", title=_NAMES.get(space, space))
        quieten(axes, "x")
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False,
                  loc="outside upper center", ncols=2)  # fmt: skip
    return figure


def drawn(attributes: pd.DataFrame) -> list[int]:
    """Return the numbers of the attributes that are drawn, in their order."""
    spaces = attributes["space"].nunique()
    most = attributes["entropy"].to_numpy().reshape(spaces, -1).max(axis=0)
    return np.sort(np.argsort(-most, kind="stable")[:MOST]).tolist()  # type: ignore[no-any-return]


def _label(axes: Axes, rows: pd.DataFrame) -> None:
    named = zip(shortened([*rows["attribute"].astype(str)], 32), rows["status"], strict=True)
    labels = [label if status == "ok" else f"{label} ({status})" for label, status in named]
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlim(left=0)
    axes.set_xlabel("conditional entropy, bits (0: a plane separates the attribute)")
    quieten(axes, "x")
