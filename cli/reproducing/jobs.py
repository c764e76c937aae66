"""What has to be measured of one model for its rows of a table, and the measuring of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from cli.measuring.path_length import check_fit
from cli.measuring.saved import SavedModel
from cli.measuring.separability import OpenedClassifier, check_sizes, planes_on_a_bar
from cli.measuring.work import sampling, work_on
from cli.models import Model
from cli.options.measuring import MeasuringRequest
from cli.options.reproduction import FIDELITY, PATHS, SEPARABILITY
from cli.reports.numbers import Row, rows_of
from cli.running.estimates import Task
from cli.running.wording import told
from cli.threads import is_small, settle_threads
from cli.trust import trusted
from latentlab import LatentError
from latentlab.datasets.pictures import Dataset, open_dataset
from latentlab.perceptual import PerceptualDistance
from metrics import MetricResult, linear_separability, perceptual_path_length
from metrics.mixed_styles import check_mixed
from metrics.path_protocols import PROTOCOLS, PathProtocol, check_space
from metrics.picture_fidelity import fidelity
from metrics.sampling import shifted
from metrics.separability.score import check_spaces
from metrics.separability.summary import score_in

_MIXED = "fid_mixed"
_SCORES = ("precision", "recall")
_SCORE = "separability_"
STANDS_FOR = "in_place_of"  # a setting of path lengths: the protocol of the paper


@dataclass(frozen=True)
class Job:
    """A measurement: its metric, and which of them.

    Attributes:
        metric: As the command line calls it.
        variant: Latents mixed for fidelity, the protocol of path length, spaces of separability.
    """

    metric: str
    variant: str

    @property
    def title(self) -> str:
        """What the progress bar and the announcement call it."""
        if self.metric == PATHS:
            return self.variant
        mixed = self.metric == FIDELITY and self.variant != "1"
        return f"{self.metric} of {self.variant} mixed latents" if mixed else self.metric


@dataclass(frozen=True)
class Means:
    """What jobs are done with.

    Attributes:
        request: Where results go, and how to compute.
        samples: Counts by metric.
        scores: Names of the scores of fidelity.
        distance: Of path lengths.
        whole: Whether these are of whole pictures where the paper crops faces.
        classifiers: Of separability.
        outputs: What several outputs of a classifier are.
        data: The real pictures of each model, by its name.
        mirror: Whether those of each are flipped at random.
        num_reals: How many of them at most; None takes all.
        weights: File of the Inception network; None takes the published one.
        vgg_weights: File of VGG16, likewise.
        digests: Their SHA-256.
    """

    request: MeasuringRequest
    samples: Mapping[str, int]
    scores: Sequence[str]
    distance: PerceptualDistance | None = None
    whole: bool = False
    classifiers: Sequence[OpenedClassifier] = ()
    outputs: str = "classes"
    data: Mapping[str, str] = field(default_factory=dict)
    mirror: Mapping[str, bool] = field(default_factory=dict)
    num_reals: int | None = None
    weights: Path | None = None
    vgg_weights: Path | None = None
    digests: Mapping[str, str] = field(default_factory=dict)

    def reals(self, model: Model) -> Dataset:
        """Open the real pictures of a model at its size."""
        return open_dataset(self.data[model.short_name], model.g.resolution, model.g.channels)

    def protocol(self, job: Job) -> PathProtocol:
        """Return the paths of a job."""
        published = PROTOCOLS[job.variant]
        return replace(published, crop=published.crop and not self.whole)

    def count_of(self, reals: Dataset) -> int:
        """Return how many real pictures are used."""
        return min(self.num_reals or len(reals), len(reals))


def jobs_of(measures: Iterable[str]) -> list[Job]:
    """Return the jobs that give some measures, each once."""
    spaces: dict[str, None] = {}
    jobs: dict[Job, None] = {}
    for measure in measures:
        if measure.startswith(_SCORE):
            spaces[measure.removeprefix(_SCORE)] = None
        elif measure in PROTOCOLS:
            jobs[Job(PATHS, measure)] = None
        else:
            jobs[Job(FIDELITY, measure.removeprefix(_MIXED) if _MIXED in measure else "1")] = None
    scores = [Job(SEPARABILITY, ",".join(sorted(spaces, reverse=True)))] if spaces else []
    return [*jobs, *scores]


def value_of(results: Iterable[MetricResult], measure: str) -> tuple[MetricResult, Row] | None:
    """Return the result that holds a measure, and its tidy row; None where there is none."""
    for result in results:
        for row in rows_of(result):
            if _measure(result, row) == measure:
                return result, row
    return None


def _measure(result: MetricResult, row: Row) -> str:
    """Return the measure that a row of a result is, as the published figures name it."""
    if result.metric == "path_length":
        own = result.settings.get(STANDS_FOR)
        return str(own or row["protocol"])
    if result.metric == "separability":
        space = str(row.get("space", ""))
        return f"{_SCORE}{space}" if row["quantity"] == score_in(space) else ""
    mixed, measure = result.settings.get("mixed", 1), str(row.get("measure", ""))
    return f"{_MIXED}{mixed}" if measure == "fid" and mixed > 1 else measure


def check_fits(model: Model, jobs: Sequence[Job], means: Means) -> None:
    """Let a distance that does not take a model's pictures say so before any is made."""
    for job in jobs:
        if job.metric == PATHS and means.distance is not None:
            check_fit(means.distance, model.g, means.protocol(job).crop)


def refusal(job: Job, model: Model, means: Means) -> LatentError | None:
    """Return why a job cannot be done on a model, as far as that is known beforehand."""
    try:
        if job.metric == PATHS:
            check_space(model.g, PROTOCOLS[job.variant].space)
        elif job.metric == SEPARABILITY:
            check_spaces(job.variant.split(","), model.g)
            check_sizes(means.classifiers, model.g)
        else:
            check_mixed(model.g, int(job.variant))
    except LatentError as error:
        return error
    return None


def tasks_of(model: Model, jobs: Sequence[Job], means: Means) -> list[Task]:
    """Return the work, for those who ask how long it takes."""
    tasks: list[Task] = []
    for job in jobs:
        count, words = means.samples[job.metric], f"{job.title}:"
        if refusal(job, model, means) is not None:
            continue
        if job.metric == FIDELITY:
            tasks.append(Task(words, count, "picture", more=" of each model"))
        elif job.metric == PATHS:
            tasks.append(sampling(model, means.request, words, count, "path", pictures=2,
                                  distance=means.distance, more=" of each model"))  # fmt: skip
        else:
            tasks.append(
                sampling(model, means.request, words, count, "picture", more=" of each model")
            )
    return tasks


def measured(model: Model, jobs: Sequence[Job], means: Means) -> SavedModel:
    """Do the jobs of a model; those that cannot be done on it are noted, and the others go on."""
    found = {job: refusal(job, model, means) for job in jobs}
    refused = {job.title: told(error) for job, error in found.items() if error is not None}
    results: list[MetricResult] = []
    for metric, run in _RUNS.items():
        mine = [job for job in jobs if job.metric == metric and job.title not in refused]
        # As when the model is measured alone; the network that fidelity looks with is large.
        settle_threads(metric != FIDELITY and is_small(model.g))
        try:
            results += run(model, mine, means) if mine else []
        except LatentError as error:
            refused |= {job.title: told(error) for job in mine}
    return SavedModel(model.facts(), results, refused)


def _fidelity(model: Model, jobs: Sequence[Job], means: Means) -> list[MetricResult]:
    """Compare pictures of one latent, of two mixed, and so on, with the same real ones."""
    reals, samples = means.reals(model), means.samples[FIDELITY]
    count, mirror, seed = means.count_of(reals), means.mirror[model.short_name], means.request.seed
    identity = {"metric": FIDELITY, "data": reals.fingerprint, "metrics": list(means.scores),
                "mirror": mirror, "weights": dict(means.digests), "seed": seed}  # fmt: skip
    title, total = f"fidelity, {model.short_name}", count + samples * len(jobs)
    with work_on(means.request, model, title, total, "img", identity) as work:
        return [
            fidelity(
                model.g, reals, samples, seed, metrics=means.scores, mirror=mirror,
                num_reals=count, mixed=int(job.variant), intervals=True, weights=means.weights,
                vgg_weights=means.vgg_weights, trust=trusted(),
                **{**work, "progress": shifted(work["progress"], i * samples, total)},
            )
            for i, job in enumerate(jobs)
        ]  # fmt: skip


def _paths(model: Model, jobs: Sequence[Job], means: Means) -> list[MetricResult]:
    return [_path_length(model, job, means) for job in jobs]


def _path_length(model: Model, job: Job, means: Means) -> MetricResult:
    distance, paths, samples = means.distance, means.protocol(job), means.samples[PATHS]
    if distance is None:
        raise AssertionError("path lengths have a distance")
    identity = {"metric": paths.name, "distance": distance.name, "seed": means.request.seed}
    title = f"{job.title}, {model.short_name}"
    with work_on(means.request, model, title, samples, "path", identity) as work:
        found = perceptual_path_length(
            model.g, distance, paths.space, paths.sampling, samples, paths.crop,
            means.request.seed, **work,
        )  # fmt: skip
    if paths.name == job.variant:
        return found
    return replace(found, settings={**found.settings, STANDS_FOR: job.variant})


def _separability(model: Model, jobs: Sequence[Job], means: Means) -> list[MetricResult]:
    """Measure separability by the published solver."""
    (job,) = jobs
    samples, judges = means.samples[SEPARABILITY], means.classifiers
    identity = {"metric": SEPARABILITY, "spaces": job.variant, "dual": True,
                "outputs": means.outputs, "seed": means.request.seed,
                "classifiers": {one.name: one.sha256 for one in judges}}  # fmt: skip
    title = f"{job.title}, {model.short_name}"
    with (
        work_on(means.request, model, title, samples, "picture", identity) as work,
        planes_on_a_bar() as fit_progress,
    ):
        return [linear_separability(
            model.g, [one.network for one in judges], samples, None, job.variant.split(","),
            means.request.seed, names=[one.name for one in judges], outputs=means.outputs,
            dual=True, fit_progress=fit_progress, **work,
        )]  # fmt: skip


_RUNS: Mapping[str, Callable[[Model, Sequence[Job], Means], list[MetricResult]]] = MappingProxyType(
    {FIDELITY: _fidelity, PATHS: _paths, SEPARABILITY: _separability}
)
