"""Plots of linear separability: what each attribute leaves open in Z and W."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from cli.reports.plot_style import (
    QUIET,
    colour,
    colours_of,
    legend_outside,
    new_figure,
    quieten,
    shortened,
)
from metrics.separability.planes import OK, ONE_CLASS
from metrics.separability.summary import CROSS_FITTED

MOST = 48  # attributes drawn: those that leave most open

_THICKNESS = 0.36  # of a bar, where attributes are 1 apart
_NAMES = {"z": "in Z", "w": "in W"}
_FITTED = ("entropy", "ci_low", "ci_high")
_HONEST = (CROSS_FITTED, "cross_fitted_low", "cross_fitted_high")
_POINT = Line2D([], [], color="black", marker="D", markerfacecolor="white", markersize=4,
                linewidth=0.8)  # fmt: skip


def bars(attributes: pd.DataFrame) -> Figure:
    """Draw the entropy of each attribute in each space as bars, and the cross-fitted ones on them.

    ``attributes`` are MetricResult.samples of linear separability. A tick marks the entropy of the
    class itself: a bar that reaches it says that no plane tells anything. Intervals are those of
    the cross-fitted entropies, and of the others where an earlier version measured them alone.
    """
    names, spaces = drawn(attributes), list(dict.fromkeys(attributes["space"]))
    figure = new_figure(1.3 + len(names) * (0.13 + 0.17 * len(spaces)))
    axes = figure.add_subplot()
    where = np.arange(len(names))
    for i, space in enumerate(spaces):
        rows = attributes[attributes["space"] == space].iloc[names]
        at = where + (i - (len(spaces) - 1) / 2) * _THICKNESS
        _bars(axes, rows, at, _THICKNESS, colour(i))
        _intervals(axes, rows, at)
    first = attributes[attributes["space"] == spaces[0]].iloc[names]
    own = axes.vlines(first["class_entropy"], where - 0.42, where + 0.42, color=QUIET,
                      linewidth=1.2)  # fmt: skip
    _label(axes, first)
    named = {_NAMES.get(each, each): Patch(color=colour(i)) for i, each in enumerate(spaces)}
    point = {"cross-fitted": _POINT} if CROSS_FITTED in attributes else {}
    legend_outside(figure, {**named, **point, "of the class itself": own})
    return figure


def _intervals(axes: Axes, rows: pd.DataFrame, at: NDArray[np.floating]) -> None:
    """Draw 95 % intervals; of cross-fitted entropies with a point where each is."""
    known = (rows["status"] == OK).to_numpy()
    names, form = (_HONEST, "D") if CROSS_FITTED in rows and known.any() else (_FITTED, "none")
    rows, at = (rows[known], at[known]) if known.any() else (rows, at)
    value, low, high = (rows[name].to_numpy() for name in names)
    axes.errorbar(value, at, xerr=np.nan_to_num([value - low, high - value]).clip(0), fmt=form,
                  color="black", markerfacecolor="white", markersize=3, markeredgewidth=0.8,
                  elinewidth=0.8, capsize=1.5)  # fmt: skip


def _bars(
    axes: Axes, rows: pd.DataFrame, at: NDArray[np.floating], thickness: float, shade: str
) -> None:
    """Draw entropies with a dot for each that is zero, and none where there is but one class."""
    known = (rows["status"] == OK).to_numpy()
    entropy = rows["entropy"].where(known)
    axes.barh(at, entropy, thickness, color=shade)
    nothing = known & (entropy == 0).to_numpy()
    if nothing.any():  # an empty line would still take room in the layout
        axes.plot(entropy[nothing], at[nothing], "o", color=shade, markersize=4, clip_on=False)


def compared(
    tables: Mapping[str, pd.DataFrame], colours: Mapping[str, str] | None = None
) -> Figure:
    """Draw the cross-fitted entropies of several models side by side, one panel per space.

    ``tables`` are MetricResult.samples of linear separability by the model's name; attributes
    that all of them have are drawn, the MOST that leave most open in the first. A cross stands
    where a model's samples have one class alone. Where an earlier version measured a model, all
    show the entropies of fitted planes.
    """
    colours = colours_of(list(tables)) if colours is None else colours
    if all(CROSS_FITTED in table for table in tables.values()):
        tables = {name: t.assign(entropy=t[CROSS_FITTED]) for name, t in tables.items()}
    shown = _common(list(tables.values()))
    spaces = list(dict.fromkeys(space for t in tables.values() for space in t["space"]))
    figure = new_figure(1.5 + 0.2 * len(tables) + len(shown) * (0.1 + 0.15 * len(tables)))
    panels = figure.subplots(1, len(spaces), sharex=True, sharey=True, squeeze=False)[0]
    thickness = 0.8 / len(tables)
    named: dict[str, Artist] = {name: Patch(color=colours[name]) for name in tables}
    for axes, space in zip(panels, spaces, strict=True):
        for i, (name, table) in enumerate(tables.items()):
            rows = table[table["space"] == space].set_index("attribute").reindex(shown)
            at = np.arange(len(shown)) + (i - (len(tables) - 1) / 2) * thickness
            _bars(axes, rows, at, thickness, colours[name])
            alone = at[(rows["status"] == ONE_CLASS).to_numpy()]
            if len(alone):
                (cross,) = axes.plot(np.zeros_like(alone), alone, "x", color=colours[name],
                                     markersize=5, clip_on=False)  # fmt: skip
                named.setdefault("one class only", cross)
        axes.set_yticks(range(len(shown)), shortened([str(name) for name in shown], 32))
        axes.set(xlabel="conditional entropy, bits", title=_NAMES.get(space, space))
        quieten(axes, "x")
        if not shown:
            axes.text(0.5, 0.5, "no attribute in common", ha="center", transform=axes.transAxes)
    panels[0].set_ylim(len(shown) - 0.4, -0.6)
    panels[0].set_xlim(0, _most_bits(list(tables.values())))
    legend_outside(figure, named)
    return figure


def _common(tables: Sequence[pd.DataFrame]) -> list[Any]:
    """Return the attributes that all tables have: the MOST that leave most open in the first."""
    common = tables[0][["attribute", "entropy"]]
    for table in tables:
        common = common[common["attribute"].isin(table["attribute"])]
    hardest = common.groupby("attribute", sort=False)["entropy"].max()
    return [*hardest.index[hardest.index.isin(hardest.nlargest(MOST).index)]]


def _most_bits(tables: Sequence[pd.DataFrame]) -> float:
    """Return an end for the axis: beyond all bars, or as far as they could reach."""
    most = max(float(table["entropy"].max()) for table in tables)
    reach = max(float(table["class_entropy"].max()) for table in tables)
    return 1.05 * most or 1.05 * reach or 1.0


def drawn(attributes: pd.DataFrame) -> list[int]:
    """Return the numbers of the attributes that are drawn, in their order."""
    spaces = attributes["space"].nunique()
    most = attributes["entropy"].to_numpy().reshape(spaces, -1).max(axis=0)
    return np.sort(np.argsort(-most, kind="stable")[:MOST]).tolist()  # type: ignore[no-any-return]


def _label(axes: Axes, rows: pd.DataFrame) -> None:
    named = zip(shortened([*rows["attribute"].astype(str)], 32), rows["status"], strict=True)
    labels = [label if status == OK else f"{label} ({status})" for label, status in named]
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlim(left=0)
    axes.set_xlabel("conditional entropy, bits (0: a plane separates the attribute)")
    quieten(axes, "x")
