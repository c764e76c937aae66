"""What `latentlab directions` computes, and the files that it writes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from PIL import Image
from torch import Tensor

from cli.measuring.labelled_latents import LabelledLatents, named
from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.separability import OpenedClassifier
from cli.measuring.work import Asked, work_on
from cli.models import Model
from cli.options.completion import DIRECTIONS_FILE
from cli.options.measuring import AttributesRequest, MeasuringRequest
from cli.projecting.saved_latents import latents_of_seeds
from cli.rendering.render import render_ws
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.reports.tables import joined, short, table_of
from cli.running.progress import ProgressBar
from cli.text import counted, number_ranges, plain_text
from latentlab import LatentError, distributed
from latentlab.editing.directions import Directions, load_directions, move, save_directions
from latentlab.editing.factorisation import principal_directions, sefa_directions
from latentlab.editing.w_moments import WMoments, w_moments
from metrics.separability.attributes import label_logits
from metrics.separability.boundaries import NO_PLANE, boundary_directions
from metrics.separability.cautions import few
from metrics.separability.classifiers import classify_samples, draw_latents

NUMBERS, SHEET = DIRECTIONS_FILE, "directions.png"
FILES = [NUMBERS, SHEET]

_UNIT_SAMPLES = 100_000  # of w, for the unit of boundaries
_COLUMNS = 7  # of the sheet, the unmoved picture in the middle
_ROWS = 20
_COUNTS = ("kept", "converged")  # what was measured of a direction, if whole


@dataclass(frozen=True)
class DirectionSettings:
    """How directions are found; see the options of the command.

    ``labelled`` are the latents and labels that exist already, where they are given.
    """

    method: str
    samples: int
    components: int
    layers: tuple[int, ...] | None
    attributes: AttributesRequest
    labelled: LabelledLatents | None


def identity(
    wanted: DirectionSettings, classifiers: Sequence[OpenedClassifier], seed: int
) -> dict[str, Any]:
    """Return all that decides the directions, as the manifest has it."""
    layers = "all" if wanted.layers is None else number_ranges(wanted.layers)
    facts: dict[str, Any] = {"method": wanted.method, "layers": layers, "seed": seed}
    asked, own, read = wanted.attributes, wanted.attributes.labelled, wanted.labelled
    if own is not None and read is not None:
        latents, labels = own
        return {
            **facts, "keep": asked.keep, "layer": asked.layer,
            "latents": plain_text(latents), "labels": plain_text(labels),
            "latents_sha256": read.sha256, "labels_sha256": read.labels_sha256,
        }  # fmt: skip
    if wanted.method == "svm":
        return {
            **facts, "samples": wanted.samples, "keep": asked.keep or max(wanted.samples // 2, 1),
            "outputs": asked.outputs, "classifiers": {one.name: one.sha256 for one in classifiers},
        }  # fmt: skip
    return {**facts, "samples": wanted.samples, "components": wanted.components}


def asked_for(
    wanted: DirectionSettings, settings: dict[str, Any], model: Model, shown: dict[str, Any]
) -> Asked:
    """Return what is to be measured: of pictures that are classified, more are the same."""
    if "classifiers" not in settings:
        return Asked(settings, {}, [model.facts()], model.place, shown)
    found = Asked.of({**settings, "keep": wanted.attributes.keep}, [model])
    return replace(found, shown=shown)


def found_before(results: Results, w_dim: int) -> tuple[Directions, list[str]] | None:
    """Return the directions that an earlier run has found, and what it said of them."""
    if results.saved is None or NUMBERS not in results.standing.intact:
        return None
    (saved,) = results.saved.models
    return load_directions(results.folder / NUMBERS, w_dim), saved.notes


def find(
    model: Model,
    wanted: DirectionSettings,
    classifiers: Sequence[OpenedClassifier],
    request: MeasuringRequest,
    settings: dict[str, Any],
) -> tuple[Directions, list[str]]:
    """Find directions; returns them, and what a reader should know of them."""
    if wanted.method == "svm":
        if wanted.labelled is not None:
            return _of_labels(model, wanted, wanted.labelled, request.seed)
        return _of_classifiers(model, wanted, classifiers, request, settings)
    moments = _moments(model, wanted.samples, request.seed)
    how = (wanted.components, wanted.layers, model.sha256)
    if wanted.method == "pca":
        found = principal_directions(moments, *how)
        share = sum(found.facts["explained_variance"])
        return found, [f"They explain {100 * share:.1f} % of the variance of w."]
    found = sefa_directions(model.g, moments, *how)
    share = sum(found.facts["share"])
    return found, [f"They have {100 * share:.1f} % of the sum of eigenvalues."]


def write(
    results: Results,
    model: Model,
    found: Directions,
    notes: Sequence[str],
    settings: dict[str, Any],
    shown: tuple[int, Tensor | None, float],
) -> None:
    """Write the directions, their table, a sheet of them, and the page.

    ``shown`` are the seed and label of the picture on the sheet, and how far it is moved.
    """
    results.save([SavedModel(model.facts(), notes=[*notes])])
    results.tell(f"{counted(len(found), 'direction')} found.", *notes)
    results.warn(*_doubts(found))
    about = {**found.settings, "checkpoint": model.name, **model.digests}  # whose they are
    save_directions(results.file(NUMBERS), replace(found, settings=about))
    results.page.section("What they change")
    caption = (f"The picture of seed {shown[0]} moved along each direction, by standard deviations "
               "of w along it.")  # fmt: skip
    results.picture(SHEET, lambda: _sheet(model, found, *shown), caption)
    facts = {**model.facts(), **settings, **found.settings, "missing": dict(found.missing)}
    results.finish(table(model, found), facts)
    results.point()


def table(model: Model, found: Directions) -> pd.DataFrame:
    """Return one row for each direction, and then one for each that there is not, with the why."""
    facts = {name: [*map(int, values)] if name in _COUNTS else values
             for name, values in found.facts.items()}  # fmt: skip
    rows = pd.DataFrame({
        "model": model.short_name, "index": pd.array(range(len(found)), dtype="Int64"),
        "direction": found.names, "method": found.method, "status": "ok",
        "deviation": found.deviations.numpy(), "origin": found.origins.numpy(), **facts,
        "sha256": model.sha256,
    })  # fmt: skip
    lost = [
        {"model": model.short_name, "direction": name, "method": found.method,
         "status": f"no plane: {why}", "sha256": model.sha256}
        for name, why in found.missing.items()
    ]  # fmt: skip
    return joined([rows, table_of(lost)]) if lost else rows


def _moments(model: Model, samples: int, seed: int) -> WMoments:
    with ProgressBar(samples, "sampling w", "sample", not distributed.is_main()) as bar:
        return w_moments(model.g, samples, seed, lambda done, _: bar.move_to(done))


def _of_classifiers(
    model: Model,
    wanted: DirectionSettings,
    classifiers: Sequence[OpenedClassifier],
    request: MeasuringRequest,
    settings: dict[str, Any],
) -> tuple[Directions, list[str]]:
    samples, seed, asked = wanted.samples, request.seed, wanted.attributes
    moments = _moments(model, _UNIT_SAMPLES, seed)
    identity = {"protocol": "directions", **settings, "keep": asked.keep}
    del identity["samples"]  # batches of fewer are those of more as well
    networks, names = [one.network for one in classifiers], [one.name for one in classifiers]
    with work_on(request, model, "classifying", samples, "picture", identity) as begun:
        read = classify_samples(model.g, networks, samples, seed, names=names,
                                outputs=asked.outputs, **begun)  # fmt: skip
        found = boundary_directions(
            draw_latents(model.g, "w", samples, seed), read.logits, read.names, moments,
            asked.keep, layers=wanted.layers, sha256=model.sha256, seed=seed,
            finished=begun["finished"],
        )  # fmt: skip
    return found, _quality(found)


def _of_labels(
    model: Model, wanted: DirectionSettings, read: LabelledLatents, seed: int
) -> tuple[Directions, list[str]]:
    width = read.latents.shape[1]
    if width != model.g.w_dim:
        wanted_width = f"this generator's has {model.g.w_dim}"
        raise LatentError(f"{wanted.attributes.latents}: w of {width} numbers, but {wanted_width}")
    names = [str(name) for name in read.labels.columns]
    found = boundary_directions(
        read.latents, label_logits(read.labels), names,
        _moments(model, _UNIT_SAMPLES, seed), wanted.attributes.keep or len(read.latents),
        layers=wanted.layers, sha256=model.sha256, seed=seed,
    )  # fmt: skip
    return found, [*read.notes, *_quality(found)]


def _quality(found: Directions) -> list[str]:
    """Say how well planes divide the attributes."""
    accuracy = found.facts["accuracy"]
    span = " to ".join(dict.fromkeys((short(min(accuracy)), short(max(accuracy)))))
    return [f"Planes divide the samples they were fitted to with an accuracy of {span}."]


def _doubts(found: Directions) -> list[str]:
    """Say what there is to doubt about planes, and which attributes have none."""
    if found.method != "svm":
        return []
    lines, kept = [], int(min(found.facts["kept"]))
    if found.missing:
        lines.append(
            f"No plane was found for {named(list(found.missing))}: {NO_PLANE}; more samples, or a "
            "larger --keep, may bring both."
        )
    if (text := few(kept, found.w_dim)) is not None:
        lines.append(text)
    if failed := len(found) - int(sum(found.facts["converged"])):
        lines.append(f"{counted(failed, 'SVM')} did not converge.")
    return lines


def _sheet(
    model: Model, found: Directions, seed: int, c: Tensor | None, strength: float
) -> Image.Image:
    """Draw the picture of a seed moved along the first directions."""
    (picture,) = latents_of_seeds(model.g, [seed], c)
    rows = min(len(found), _ROWS)
    size = tile_size(model.g.resolution, rows * _COLUMNS, SCREEN)
    middle = _COLUMNS // 2
    strengths = [strength * (i - middle) / middle for i in range(_COLUMNS)]
    moved = [[move(picture.ws, found[i], by, found.layers) for by in strengths]
             for i in range(rows)]  # fmt: skip
    tiles = [[tile(render_ws(model.g, ws), size) for ws in line] for line in moved]
    above = [f"{by:+.3g}" if by else "0" for by in strengths]
    return sheet(tiles, above, list(found.names[:rows]))
