"""How pictures are projected: the opened model, what it reads, compares and searches with."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cli.models import open_distance, open_model, say_opening
from cli.options.acceleration import accelerated
from cli.options.acceleration import facts as facts_of_pace
from cli.options.common import check_asked_video
from cli.options.projection import ProjectionRequest
from cli.pictures.records import without_landmarks
from cli.projecting.starts import EncodedStarts, SavedStarts
from cli.projecting.targets import TargetReader
from cli.trust import trusted
from latentlab import Generator, LatentError, ProjectorSettings, __version__
from latentlab.encoders import Encoder, load_encoder
from latentlab.foreign_files.opening import all_unchanging
from latentlab.identity import FaceIdentity
from latentlab.images import COMPARED_ON, alpha_facts
from latentlab.latents import one_hot
from latentlab.networks.placement import placing_rows
from latentlab.perceptual import PerceptualDistance
from latentlab.projection import default_batch
from latentlab.projection.settings import PUBLISHED


@dataclass(frozen=True)
class Method:
    """How pictures are projected.

    Attributes:
        checkpoint: As the command line names it.
        identity_network: What is to see the same face in picture and target, if that counts.
        identity: All of it that decides the numbers, see ``without_landmarks``.
        facts: What reports say of it.
    """

    checkpoint: str
    request: ProjectionRequest
    g: Generator
    reader: TargetReader
    distance: PerceptualDistance
    settings: ProjectorSettings
    starts: SavedStarts | EncodedStarts | None
    identity_network: FaceIdentity | None
    c: Tensor | None
    batch: int
    identity: dict[str, Any]
    facts: dict[str, Any]


def open_method(
    checkpoint: str, request: ProjectionRequest, pictures: Collection[Path], device: str
) -> Method:
    """Open all that a projection of these pictures needs; the cheap is refused first.

    Raises:
        LatentlabError: If something of it cannot be used.
    """
    search, faces = request.search, request.reading.faces
    # What their SHA-256 are of is what is read from them.
    with all_unchanging(search.encoder, search.identity, faces.landmarks, faces.face_model):
        return _opened(checkpoint, request, pictures, device)


def _opened(
    checkpoint: str, request: ProjectionRequest, pictures: Collection[Path], device: str
) -> Method:
    check_asked_video(request.video, request.fps)
    search, reading = request.search, request.reading
    settings = search.settings()
    model = open_model(checkpoint, device)
    # The steps alone: what is saved and told is computed as ever.
    pace = request.compiled, request.precision
    g = accelerated(model.g, *pace, gradients_only=True)
    if not g.has_w and settings.space != "z":
        raise LatentError("this generator has no W", advice=["search in Z: `space` z"])
    if settings.anchor:
        placing_rows(g.synthesis)  # raises where there is nothing to hold
    c = None if request.label is None else one_hot(request.label, g.c_dim)
    encoder = _open_encoder(request)
    reader = TargetReader(g, reading, None if encoder is None else encoder.size)
    starts: SavedStarts | EncodedStarts | None = None
    if encoder is not None:
        starts = EncodedStarts(encoder, g, settings.space)
    elif search.start is not None:
        ordered = None if request.shuffle else pictures
        starts = SavedStarts(search.start, model, settings.space, request.any_checkpoint, ordered)
    reader.check(pictures)
    distance = open_distance(request.distance, model.place)
    distance = accelerated(distance, *pace, gradients_only=True)
    faces = None
    if search.identity is not None:
        faces = FaceIdentity(search.identity, device=model.place, trust=trusted())
    decisive = {
        "latentlab": __version__, "sha256": model.sha256, "distance_name": distance.name,
        "class": request.label, **reading.facts(), **search.facts(), "video": request.video,
        **alpha_facts(g.channels, COMPARED_ON), **facts_of_pace(*pace),
    }  # fmt: skip
    if encoder is not None:
        decisive["encoder_type"] = encoder.config.encoder_type
    batch = request.batch or (default_batch(g) if settings.algorithm == PUBLISHED else 1)
    facts = {
        **decisive, **model.digests, "batch": batch, "device": model.place,
        "checkpoint": model.name,
    }  # fmt: skip
    identity = without_landmarks(decisive)
    return Method(
        checkpoint, request, g, reader, distance, settings, starts, faces, c, batch, identity, facts
    )


def _open_encoder(request: ProjectionRequest) -> Encoder | None:
    """Open the encoder that is asked for, if there is one.

    Raises:
        CheckpointError: If it cannot be opened.
    """
    search = request.search
    if search.encoder is None:
        return None
    say_opening(str(search.encoder))
    return load_encoder(search.encoder, search.encoder_type)
