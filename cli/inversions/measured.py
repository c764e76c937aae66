"""Measuring the pairs of every method, and what an earlier run has saved of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cli.inversions.folders import read_folders
from cli.inversions.foreign import read_pairs
from cli.inversions.methods import (
    WRITTEN_BY,
    Inversions,
    Method,
    PictureFiles,
    digest_of,
    read_bytes,
)
from cli.inversions.networks import OpenedNetworks, open_networks
from cli.inversions.page import planned_files, write_report
from cli.inversions.usable import usable
from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.work import Asked, claimed_results, end, work_on
from cli.models import resolve_device
from cli.options.inversions import InversionRequest
from cli.options.measuring import MeasuringRequest
from cli.running.estimates import Task
from cli.running.wording import told
from cli.text import counted, listed, plain_text
from cli.threads import settle_threads
from latentlab import DataError, ImageError, distributed
from metrics import MetricResult, inversion_quality
from metrics.picture_pairs.measures import OTHERS, SECONDS_EACH
from metrics.picture_pairs.quality import METRIC, UNREADABLE
from metrics.result import Caution

_OF_TUNING = "Seconds of a tuning are without those of the projections that it begins with."


def report_inversions(
    folders: Sequence[Path], wanted: InversionRequest, request: MeasuringRequest
) -> None:
    """Measure what the folders hold, and write the report; a finished one ends the command.

    Raises:
        LatentlabError: If folders or networks cannot be used.
    """
    pairs = wanted.pairs()
    place = resolve_device(request.device)
    settle_threads(small=False)
    places = [*folders, *(results for _, results in pairs)]
    titles = request.titles([str(each) for each in places], "method")
    title = f"Inversions: {listed(titles)}"
    files = planned_files(len(titles))
    Results(request, title, files)  # results of another run are told before pictures are read
    _refuse_twice(places)
    found = [*read_folders(folders), *(read_pairs(*pair) for pair in pairs)]
    found, side = usable(found)
    networks = open_networks(wanted, found, side, place, request.dry_run)
    methods = [Method(name, each, place, digest_of(each.pairs))
               for name, each in zip(titles, found, strict=True)]  # fmt: skip
    left_out = [line for method in methods for line in method.found.left_out]
    facts = {"seed": request.seed, **networks.facts}
    told_first = {"methods": [in_words(each) for each in found], **facts}
    asked = Asked({"metric": METRIC, "seed": request.seed, **networks.facts}, {},
                  [method.facts() for method in methods], place)  # fmt: skip
    tasks = [Task("Comparing", len(m.found.pairs), "pair", more=f" of {m.short_name}")
             for m in methods]  # fmt: skip
    with claimed_results(request, title, files, [], told_first, left_out, tasks, networks.fetched,
                         asked) as results:  # fmt: skip
        measured = _measured_or_saved(results, methods, networks, request)
        unread = [line for pair in zip(methods, measured, strict=True) for line in _unread(*pair)]
        if distributed.is_main():
            write_report(results, dict(zip(titles, measured, strict=True)), methods,
                         networks.left_out, [*left_out, *unread],
                         {"models": [method.facts() for method in methods], **facts})  # fmt: skip
        end([*left_out, *unread])


def _refuse_twice(places: Sequence[Path]) -> None:
    if not places:
        return
    known: dict[Path, Path] = {}
    for place in places:
        other = known.setdefault(place.resolve(), place)
        if other is not place:
            raise DataError(f"{place}: is given twice")


def _measured_or_saved(
    results: Results, methods: Sequence[Method], networks: OpenedNetworks, request: MeasuringRequest
) -> list[MetricResult]:
    """Return what an earlier run has measured of the methods, or measure and save it."""
    if results.saved is not None:
        measured = [result for model in results.saved_models for result in model.results]
    else:
        digests = [method.sha256 for method in methods]
        measured = [_measured(method, networks, request, again=method.sha256 in digests[:i])
                    for i, method in enumerate(methods)]  # fmt: skip
    results.save([SavedModel(method.facts(), [result])
                  for method, result in zip(methods, measured, strict=True)])  # fmt: skip
    return measured


def _measured(
    method: Method, networks: OpenedNetworks, request: MeasuringRequest, again: bool
) -> MetricResult:
    """Measure a method; ``again``: one with the same pictures was measured just now."""
    found = method.found
    count = len(found.pairs)
    targets = PictureFiles([pair.target for pair in found.pairs])
    results = PictureFiles([pair.result for pair in found.pairs])
    identity = {"metric": METRIC, "seed": request.seed, **networks.facts}
    with work_on(request, method, method.short_name, count, "pair", identity, again) as work:
        result = inversion_quality(
            targets, results, networks.distances, identity=networks.identity,
            scores=networks.scores, weights=networks.weights, device=method.place,
            side=networks.facts["resolution"], about=method.about(), seed=request.seed,
            finished=work["finished"], progress=work["progress"],
        )  # fmt: skip
    cautions = result.cautions
    if found.kind == "tune" and result.samples[SECONDS_EACH].notna().any():
        cautions = (*cautions, Caution(_OF_TUNING, (OTHERS[SECONDS_EACH].quantity,)))
    settings = {**result.settings, "kind": found.kind, "computed_on": list(found.devices)}
    return replace(result, settings=settings, cautions=cautions)


def _unread(method: Method, result: MetricResult) -> list[str]:
    """Say why pictures of a method could not be read."""
    lines = []
    pairs = {plain_text(pair.name): pair for pair in method.found.pairs}
    for name in result.samples.loc[result.samples["status"] == UNREADABLE, "picture"]:
        try:
            for file in (pairs[name].target, pairs[name].result):
                read_bytes(file)
        except ImageError as error:
            lines.append(plain_text(told(error)))
    return lines


def in_words(found: Inversions) -> str:
    """Say what a folder holds: "out: 12 pictures of latentlab project"."""
    pictures = counted(len(found.pairs), "picture")
    return f"{plain_text(found.place)}: {pictures} of {WRITTEN_BY[found.kind]}"
