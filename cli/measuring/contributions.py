"""The share of each resolution in skip generators' output, measured and drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.snapshots import InTurn, expanded, facts_of
from cli.measuring.work import Asked, claimed_results, end, sampling, work_on
from cli.models import Model, open_model, resolve_device, with_model
from cli.options.measuring import MeasuringRequest
from cli.reports.numbers import interval, number_of
from cli.reports.plot_style import legend_outside, new_figure, quieten, save_figure, shades, wrapped
from cli.reports.tables import joined, write_table
from cli.running.estimates import Task
from cli.running.wording import told
from cli.text import counted, say
from latentlab import LatentError, distributed
from latentlab.files import sha256_of
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.training.log import read_log
from latentlab.training.trainer import Trainer
from metrics import contributions
from metrics.resolution_shares import check_skip

_MEASURES = {"native": "as each ToRGB gives it", "upsampled": "upsampled to full size"}
_LEAST_LABELLED = 4.0  # percent: narrower bars have no room for a number
TABLE, PLOT = "contributions.csv", "contributions.png"

_SAMPLES = 1024


def measure_contributions(
    checkpoints: Sequence[str],
    samples: int,
    request: MeasuringRequest,
    title: str,
    reading: str | None = None,
) -> None:
    """Measure the shares of each resolution in models or snapshots, and draw them.

    Args:
        checkpoints: The models; a folder stands for the snapshots in it.
        samples: Latents of each.
        request: Where to write what, and how to compute.
        title: Of the page.
        reading: What the page says of the numbers before it shows them.
    """
    names = list(expanded(checkpoints))
    labels = request.titles(names)
    settings = {"samples": samples, "seed": request.seed}
    opened = [
        open_model(name, request.device, None, label, pictures=False)
        for name, label in zip(names if request.dry_run else [], labels, strict=False)
    ]
    tasks = [_task(opened[0], len(names), samples, request)] if opened else []
    models = _OneByOne(names, samples, request)
    asked = _asked_for(names, samples, request)
    with claimed_results(request, title, [PLOT], opened, settings, tasks=tasks or models.tasks,
                         asked=asked) as results:  # fmt: skip
        found = _measured_or_saved(results, models)
        if distributed.is_main():
            if reading is not None:
                results.page.text(reading)
            _write(results, found, settings)


def _asked_for(names: Sequence[str], samples: int, request: MeasuringRequest) -> Asked:
    """Return what is to be measured, before any model is opened."""
    titles = request.titles(names)
    place, shown = resolve_device(request.device), {"names": titles}
    facts = facts_of(names, titles)
    return Asked({"seed": request.seed}, {"samples": samples}, facts, place, shown)


class _OneByOne(InTurn):
    """Generators whose resolutions are measured, opened one after the other."""

    def __init__(self, names: Sequence[str], samples: int, request: MeasuringRequest) -> None:
        super().__init__(names, request.titles(names), request, pictures=False)
        self.samples = samples

    def tasks(self) -> list[Task]:
        """Return the work.

        Raises:
            LatentlabError: If the first cannot be opened; or is the only one, and has no skip.
        """
        first = self.first()
        if len(self.names) == 1:
            check_skip(first.g)
        return [_task(first, len(self.names), self.samples, self.request)]


def _task(first: Model, models: int, samples: int, request: MeasuringRequest) -> Task:
    """Return the work on so many models, of which one is at hand to be timed."""
    task = sampling(first, request, "Measuring", samples, "latent")
    if models == 1:
        return task
    each = f", {counted(samples, 'latent')} each"
    return replace(task, count=models, noun="model", pictures=samples, more=each)


def _measured_or_saved(results: Results, models: _OneByOne) -> list[SavedModel]:
    """Return what an earlier run has measured of the models, or measure and save it."""
    titles = models.request.titles(models.names)
    found = [
        replace(model, facts={**model.facts, "name": title})
        for model, title in zip(results.saved_models, titles, strict=False)
    ]
    found = found or _measure(models)
    results.save(found)
    return found


def _measure(models: _OneByOne) -> list[SavedModel]:
    """Open and measure one model after the other; of several, those without a skip are left out."""
    found: list[SavedModel] = []
    samples, request = models.samples, models.request
    identity = {"metric": "contributions", "seed": request.seed}
    for model in models:
        label = model.short_name
        try:
            check_skip(model.g)
            with work_on(request, model, label, samples, "image", identity) as work:
                result = contributions(model.g, samples, request.seed, **work)
        except LatentError as error:
            if len(models.names) == 1:
                raise
            found.append(SavedModel(model.facts(), refused={"contributions": told(error)}))
            continue
        facts = {**model.facts(), "images": model.opened.images_shown}
        found.append(SavedModel(facts, [result]))
    return found


def _write(results: Results, found: Sequence[SavedModel], settings: dict[str, int]) -> None:
    """Write plot, table and page, and name what was left out.

    Raises:
        LatentError: If no model was measured.
    """
    refused = [f"{model.name}: {error}"
               for model in found for error in model.refused.values()]  # fmt: skip
    measured = [model for model in found if model.results]
    if not measured:
        raise LatentError(f"none of {len(refused)} has the skip architecture; {refused[0]}")
    parts = {model.name: _rows(model) for model in measured}
    rows = joined(parts.values())
    images = rows["images"]
    along = images.notna().all() and images.nunique() > 1
    figure = over_training(rows) if along else bars(parts)
    rows = rows.drop(columns="images") if images.isna().all() else rows
    results.tell(*(_largest(part) for part in parts.values()))
    results.page.section("Shares", *(f"Left out: {line}." for line in refused))
    results.figure(PLOT, figure, "Standard deviation of the pixels that each resolution adds, as "
                   "a share of their sum (StyleGAN2 paper, Fig. 8).")  # fmt: skip
    facts = {"models": [{k: v for k, v in model.facts.items() if k != "images"}
                        for model in measured], **settings}  # fmt: skip
    results.finish(rows, facts | ({"left_out": refused} if refused else {}))
    say(f"{counted(len(measured), 'model')} measured.")
    results.point()
    end(refused)


def _rows(model: SavedModel) -> pd.DataFrame:
    """Return a model's rows, with the number of images that it was trained on."""
    (result,) = model.results
    images = pd.array([model.facts["images"]] * len(result.rows), dtype="Int64")
    return with_model(result.frame(), model.name, model.facts["sha256"], images=images)


def _largest(rows: pd.DataFrame) -> str:
    """Say which resolution adds most to a model's images at full size."""
    mine = rows[rows["measure"] == "upsampled"].reset_index(drop=True)
    row = mine.loc[int(mine["value"].argmax())].to_dict()
    size = f"{row['resolution']}x{row['resolution']}"
    known = interval(row)
    within = f" (95 % interval {known})" if known else ""
    return f"{row['model']}: {size} adds most, {number_of(row)} %{within} when upsampled."


def bars(frames: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the shares of one model or several as bars from 0 to 100 %, by both measures.

    ``frames`` hold MetricResult.rows of contributions by the model's name.
    """
    figure = new_figure(1.3 + 0.8 * len(frames))
    sizes = sorted({size for frame in frames.values() for size in frame["resolution"]})
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (measure, words) in zip(panels, _MEASURES.items(), strict=True):
        left = np.zeros(len(frames))
        for size, shade in zip(sizes, shades(len(sizes)), strict=True):
            share = np.array([
                frame["value"][(frame["measure"] == measure) & (frame["resolution"] == size)].sum()
                for frame in frames.values()
            ])  # fmt: skip
            drawn = axes.barh(range(len(frames)), share, left=left, color=shade, height=0.7)
            labels = [f"{each:.0f}" if each >= _LEAST_LABELLED else "" for each in share]
            ink = "white" if sum(shade[:3]) < 1.5 else "black"
            axes.bar_label(drawn, labels, label_type="center", color=ink, fontsize=8)
            left += share
        axes.set(xlim=(0, 100), xlabel="share, %", yticks=range(len(frames)))
        axes.set_yticklabels(wrapped(list(frames), 24))
        axes.tick_params(axis="y", length=0)
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
    kimg, stacked = shares.index.to_numpy() / 1000, shares.to_numpy().T
    if len(kimg) == 1:  # of the first snapshot a bar: an area between one place and itself is none
        axes.set_xticks(kimg, [f"{kimg[0]:g}"])
        kimg, stacked = kimg + np.array([-0.5, 0.5]), stacked.repeat(2, axis=1)
    axes.stackplot(kimg, stacked, colors=shades(shares.shape[1]))
    axes.set(xlim=(kimg[0], kimg[-1]), ylim=(0, 100), xlabel="thousand images shown in training")
    quieten(axes)


def _add_legend(figure: Figure, sizes: list[int]) -> None:
    colours = zip(sizes, shades(len(sizes)), strict=True)
    drawn = {f"{size}x{size}": Patch(color=shade) for size, shade in colours}
    legend_outside(figure, drawn, "below")


def has_shares(trainer: Trainer) -> bool:
    """Whether the trained generator has a skip, whose shares are measured."""
    generator = trainer.config.generator
    return isinstance(generator, StyleGAN2Config) and generator.architecture == "skip"


def log_contributions(trainer: Trainer, snapshot: Path) -> None:
    """Measure a snapshot: add to contributions.csv and draw contributions.png, if it has a skip.

    Processes share the measuring, and the main one writes.
    """
    if not has_shares(trainer):
        return
    result = contributions(trainer.ema_generator, _SAMPLES, trainer.seed)
    if not distributed.is_main():
        return
    images = trainer.images_seen
    frame = with_model(result.frame(), snapshot.name, sha256_of(snapshot), images=images)
    path = snapshot.with_name(TABLE)
    if path.exists():  # a run continued from an earlier snapshot writes its rows anew
        before = read_log(path)
        frame = joined([before[before["images"] < images], frame])
    write_table(frame, path)
    save_figure(snapshot.with_name(PLOT), over_training(frame))
