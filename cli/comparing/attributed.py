"""Attribution in a comparison: the same real pictures for all models, and projections by each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cli.options.measuring import ComparisonRequest
from cli.pictures.real_pictures import RealPictures, read_real
from cli.running.estimates import Task
from cli.text import counted
from latentlab import Generator
from latentlab.perceptual import PerceptualDistance
from metrics import MetricResult
from metrics.source_attribution import GENERATED, REAL, AttributionSettings, project_groups


@dataclass(frozen=True)
class Attributing:
    """How attribution is measured of every model.

    Attributes:
        sources: Real pictures, folders of pictures, or ``builtin:digits``.
        generated: Generated pictures.
        most: Real pictures at most.
        settings: Of the projections.
        distance: What is left between a picture and its projection.
    """

    sources: Sequence[str]
    generated: int
    most: int
    settings: AttributionSettings
    distance: PerceptualDistance
    _read: dict[tuple[int, int], RealPictures] = field(default_factory=dict)

    def pictures(self, g: Generator) -> RealPictures:
        """Return the real pictures at a generator's size; those of one size are read once.

        Raises:
            ImageError: If none can be used.
        """
        size = g.resolution, g.channels
        if size not in self._read:
            found = read_real(self.sources, g, self.most)
            self.distance.check(found[0][None].to(next(g.parameters()).device))
            self._read[size] = found
        return self._read[size]

    @property
    def refused(self) -> list[str]:
        """Why some of the real pictures could not be used, as far as they were read."""
        return list(dict.fromkeys(line for read in self._read.values() for line in read.refused))

    def total(self, g: Generator) -> int:
        """Return how many pictures a model projects."""
        return self.generated + len(self.pictures(g))

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers besides the model, the distance and the seed."""
        digests = [read.digest for read in self._read.values()]
        settings = self.settings
        return {"pictures": digests, "space": settings.space, "steps": settings.steps,
                "truncation_psi": settings.truncation_psi}  # fmt: skip

    def task(self, g: Generator) -> Task:
        """Return the work for one model."""
        steps = self.settings.steps
        more = f" of each model, {counted(steps, 'step')} each"
        return Task("attribution:", self.total(g), "picture", g, steps, more, self.distance,
                    gradients=True)  # fmt: skip

    def run(self, g: Generator, num_samples: int, seed: int, **work: Any) -> MetricResult:
        """Project the pictures by one model; its settings name the real ones by their digest."""
        pictures, settings = self.pictures(g), replace(self.settings, seed=seed)
        found = project_groups(g, pictures, self.distance, num_samples, settings, **work).result()
        told = {"pictures": [pictures.digest], "resolution": g.resolution}
        return replace(found, settings={**found.settings, **told})


def opened(
    needs: ComparisonRequest,
    generated: int,
    seed: int,
    distance: PerceptualDistance,
    before: Sequence[MetricResult],
) -> Attributing:
    """Return how attribution is measured: as it was ``before``, where nothing else is asked for."""
    settings, most = AttributionSettings(steps=needs.steps, seed=seed), generated
    for result in before:
        if result.metric == "attribution":
            names = ("space", "truncation_psi", *(() if needs.steps_given else ("steps",)))
            settings = replace(settings, **{name: result.settings[name] for name in names})
            most = count_of(result, REAL)
    return Attributing(needs.real_pictures, generated, most, settings, distance)


def count_of(result: MetricResult, group: str = GENERATED) -> int:
    """Return the number of pictures of a group, those included that diverged."""
    return int((result.samples["group"] == group).sum())
