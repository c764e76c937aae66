"""Plots of the share of each resolution in a skip generator's output."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.reports.plot_style import new_figure, quieten, save_figure, shades, shortened
from cli.reports.tables import write_table
from latentlab import OutputError, distributed
from latentlab.files import sha256_of
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.training.trainer import Trainer
from metrics import contributions

_MEASURES = {"native": "as each ToRGB gives it", "upsampled": "upsampled to full size"}
_LEAST_LABELLED = 4.0  # percent: narrower bars have no room for a number
TABLE, PLOT = "contributions.csv", "contributions.png"

_SAMPLES = 1024


def bars(frames: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the shares of one model or several as bars from 0 to 100 %, by both measures.

    ``frames`` hold MetricResult.rows of contributions by the model's name.
    """
    figure = new_figure(1.3 + 0.8 * len(frames))
    sizes = sorted({size for frame in frames.values() for size in frame["resolution"]})
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (measure, words) in zip(panels, _MEASURES.items(), strict=True):
        for y, frame in enumerate(frames.values()):
            shares = frame[frame["measure"] == measure].set_index("resolution")["value"]
            left = 0.0
            for size, shade in zip(sizes, shades(len(sizes)), strict=True):
                share = float(shares.get(size, 0.0))
                axes.barh(y, share, left=left, color=shade, height=0.7)
                if share >= _LEAST_LABELLED:
                    ink = "white" if sum(shade[:3]) < 1.5 else "black"
                    axes.text(left + share / 2, y, f"{share:.0f}", color=ink, fontsize=8,
                              ha="center", va="center")  # fmt: skip
                left += share
        axes.set(xlim=(0, 100), xlabel="share, %", yticks=range(len(frames)))
        axes.set_yticklabels(shortened(list(frames), 24))
        axes.set_title(words, fontsize=10)
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[0].invert_yaxis()
    _add_legend(figure, sizes)
    return figure


def over_training(frame: pd.DataFrame) -> Figure:
    """Draw the shares over a training run, stacked (Fig. 8, Karras et al. 2020).

    ``frame`` has a column ``images`` besides those of contributions.
    """
    figure = new_figure(3.4)
    sizes = sorted(frame["resolution"].unique())
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (measure, words) in zip(panels, _MEASURES.items(), strict=True):
        rows = frame[frame["measure"] == measure]
        shares = rows.pivot_table(index="images", columns="resolution", values="value")
        _stack(axes, shares.reindex(columns=sizes).fillna(0.0))
        axes.set_title(words, fontsize=10)
    panels[0].set_ylabel("share, %")
    _add_legend(figure, sizes)
    return figure


def _stack(axes: Axes, shares: pd.DataFrame) -> None:
    kimg = shares.index.to_numpy() / 1000
    axes.stackplot(kimg, shares.to_numpy().T, colors=shades(shares.shape[1]))
    last = kimg[-1] if len(kimg) > 1 and kimg[-1] > kimg[0] else kimg[0] + 1
    axes.set(xlim=(kimg[0], last), ylim=(0, 100), xlabel="thousand images shown in training")
    quieten(axes)


def _add_legend(figure: Figure, sizes: list[int]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(color=shade, label=f"{size}x{size}")
        for size, shade in zip(sizes, shades(len(sizes)), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(sizes), frameon=False)


def log_contributions(trainer: Trainer, snapshot: Path) -> None:
    """Measure a snapshot: add to contributions.csv and draw contributions.png, if it has a skip.

    Processes share the measuring, and the main one writes.
    """
    generator = trainer.config.generator
    if not isinstance(generator, StyleGAN2Config) or generator.architecture != "skip":
        return
    frame = contributions(trainer.ema_generator, _SAMPLES, trainer.seed).frame()
    if not distributed.is_main():
        return
    frame.insert(0, "images", trainer.images_seen)
    frame["sha256"] = sha256_of(snapshot)
    path = snapshot.with_name(TABLE)
    if path.exists():  # a run continued from an earlier snapshot writes its rows anew
        try:
            before = pd.read_csv(path)
            before = before[before["images"] < trainer.images_seen]
        except (OSError, ValueError, KeyError) as error:
            raise OutputError(f"{path}: cannot be read ({error}); move it away") from error
        frame = pd.concat([before, frame])
    write_table(frame, path)
    save_figure(snapshot.with_name(PLOT), over_training(frame))
