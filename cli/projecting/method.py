"""How pictures are projected: the opened model, what it reads, compares and searches with."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cli.models import open_distance, open_model
from cli.options.projection import ProjectionRequest
from cli.pictures.records import without_landmarks
from cli.projecting.starts import SavedStarts
from cli.projecting.targets import TargetReader
from latentlab import Generator, ProjectorSettings, __version__
from latentlab.images import COMPARED_ON, alpha_facts
from latentlab.latents import one_hot
from latentlab.perceptual import PerceptualDistance
from latentlab.projection import default_batch
from latentlab.video.writer import check_video


@dataclass(frozen=True)
class Method:
    """How pictures are projected.

    Attributes:
        checkpoint: As the command line names it.
        identity: All of it that decides the numbers, see ``without_landmarks``.
        facts: What reports say of it.
    """

    checkpoint: str
    request: ProjectionRequest
    g: Generator
    reader: TargetReader
    distance: PerceptualDistance
    settings: ProjectorSettings
    starts: SavedStarts | None
    c: Tensor | None
    batch: int
    identity: dict[str, Any]
    facts: dict[str, Any]


def open_method(
    checkpoint: str, request: ProjectionRequest, pictures: Iterable[Path], device: str
) -> Method:
    """Open all that a projection of these pictures needs; the cheap is refused first.

    Raises:
        LatentlabError: If something of it cannot be used.
    """
    if request.video is not None:
        check_video(request.video, request.fps)
    search, reading = request.search, request.reading
    settings = search.settings()
    model = open_model(checkpoint, device)
    g = model.g
    c = None if request.label is None else one_hot(request.label, g.c_dim)
    reader = TargetReader(g, reading)
    starts = (
        None if search.start is None else SavedStarts(search.start, model, request.any_checkpoint)
    )
    reader.check(pictures)
    distance = open_distance(request.distance, model.place)
    decisive = {
        "latentlab": __version__, "sha256": model.sha256, "distance_name": distance.name,
        "class": request.label, **reading.facts(), **search.facts(), "video": request.video,
        **alpha_facts(g.channels, COMPARED_ON),
    }  # fmt: skip
    batch = request.batch or default_batch(g)
    facts = {
        **decisive, **model.digests, "batch": batch, "device": model.place,
        "checkpoint": model.name,
    }  # fmt: skip
    identity = without_landmarks(decisive)
    return Method(
        checkpoint, request, g, reader, distance, settings, starts, c, batch, identity, facts
    )
