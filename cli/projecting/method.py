"""How pictures are projected: the opened model, what it reads, compares and searches with."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cli.models import open_model
from cli.options.projection import ProjectionRequest
from cli.projecting.saved_latents import SavedStarts
from cli.projecting.targets import TargetReader
from cli.projecting.video import VideoRequest
from latentlab import Generator, ProjectorSettings, __version__, perceptual_distance
from latentlab.latents import one_hot
from latentlab.perceptual import PerceptualDistance
from latentlab.projection import default_batch
from latentlab.video.writer import check_video


@dataclass(frozen=True)
class Method:
    """How pictures are projected.

    Attributes:
        identity: All of it that decides the numbers, but for landmarks: these may grow and be
            corrected, and pictures whose own are the same stay as they are.
        facts: What reports say of it.
    """

    g: Generator
    reader: TargetReader
    distance: PerceptualDistance
    settings: ProjectorSettings
    c: Tensor | None
    batch: int
    identity: dict[str, Any]
    facts: dict[str, Any]
    saved: SavedStarts | None = None
    video: VideoRequest | None = None


def open_method(
    checkpoint: str, request: ProjectionRequest, pictures: Iterable[Path], device: str
) -> Method:
    """Open all that a projection of these pictures needs; the cheap is refused first.

    Raises:
        LatentlabError: If something of it cannot be used.
    """
    video = None if request.video is None else VideoRequest(request.video, request.fps)
    if video is not None:
        check_video(video.name, video.fps)
    search, reading = request.search, request.reading
    settings = search.settings()
    model = open_model(checkpoint, device)
    g = model.g
    c = None if request.label is None else one_hot(request.label, g.c_dim)
    reader = TargetReader(g, reading)
    saved = None if search.start is None else SavedStarts(search.start, g)
    reader.check(pictures)
    distance = perceptual_distance(request.distance, model.place)
    decisive = {
        "latentlab": __version__, "sha256": model.sha256, "distance_name": distance.name,
        "class": request.label, **reading.facts(), **search.facts(), "video": request.video,
    }  # fmt: skip
    identity = {name: value for name, value in decisive.items() if not name.startswith("landmarks")}
    batch = request.batch or default_batch(g)
    facts = {**decisive, "batch": batch, "device": model.place, "checkpoint": model.name}
    return Method(g, reader, distance, settings, c, batch, identity, facts, saved, video)
