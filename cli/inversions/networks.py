"""The networks that look at pairs: those asked for, and by default those that can be had."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cli.inversions.methods import Inversions
from cli.models import open_distance
from cli.options.inversions import InversionRequest
from cli.running.wording import told
from cli.trust import trusted
from latentlab import CheckpointError, ImageError, LatentlabError, SettingsError
from latentlab.files import sha256_of
from latentlab.foreign_files.opening import all_unchanging
from latentlab.identity import FaceIdentity
from latentlab.perceptual import PerceptualDistance, fetched_for
from metrics.fidelity_networks import find_weights, unfetched
from metrics.picture_pairs.quality import FEWEST_FOR_SCORES, SCORES

PUBLISHED = "lpips-alex"  # that papers on inversion report

_WITHOUT = "FID and KID are left out"


@dataclass(frozen=True)
class OpenedNetworks:
    """What looks at pairs.

    Attributes:
        distances: Perceptual distances, the first of which is the headline.
        identity: Compares faces; None where no file is given.
        scores: Of the two sets.
        weights: File of the Inception network, as given.
        left_out: What cannot be had, with the reason, in sentences.
        fetched: Files that would be fetched.
        facts: What decides the numbers.
    """

    distances: list[PerceptualDistance]
    identity: FaceIdentity | None
    scores: tuple[str, ...]
    weights: Path | None
    left_out: list[str] = field(default_factory=list)
    fetched: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def open_networks(
    wanted: InversionRequest, found: Sequence[Inversions], side: int, device: str, dry_run: bool
) -> OpenedNetworks:
    """Open the networks, before any picture is measured.

    What is asked for must be there. Without asking, LPIPS (alex), the distances by which pictures
    were projected, FID and KID are taken as far as they can be had.

    Raises:
        LatentlabError: If something that was asked for cannot be opened, or is for other pictures.
    """
    left_out, fetched = list[str](), list[Path]()
    distances = _distances(wanted.distance, found, side, device, left_out)
    fetched += [file for each in distances if (file := fetched_for(each.name)) is not None]
    identity = None
    facts: dict[str, Any] = {"resolution": side, "distances": [each.name for each in distances]}
    if wanted.identity is not None:
        with all_unchanging(wanted.identity):
            identity = FaceIdentity(wanted.identity, wanted.crop, device, trust=trusted())
            digest = sha256_of(wanted.identity)
        facts |= {"identity": digest, "face_crop": wanted.crop}
    fewest = min(len(each.pairs) for each in found)
    scores = () if wanted.without_scores else _scores(wanted.scores, fewest, left_out)
    digests = dict[str, str]()
    if scores and dry_run:
        fetched += _unfetched(scores, wanted.weights, bool(wanted.scores), left_out)
    elif scores:
        try:
            files = find_weights(scores, wanted.weights, trust=trusted())
            digests = {name: sha256_of(file) for name, file in files.items()}
        except (CheckpointError, SettingsError) as error:
            if wanted.scores or wanted.weights:
                raise
            left_out.append(f"{_WITHOUT}: {told(error)}.")
            scores = ()
    facts |= {"scores": list(scores), "weights": digests}
    return OpenedNetworks(distances, identity, scores, wanted.weights, left_out, fetched, facts)


def _distances(
    asked: Sequence[str], found: Sequence[Inversions], side: int, device: str, left_out: list[str]
) -> list[PerceptualDistance]:
    """Open the distances that are asked for, or else those that can be had."""
    names = dict.fromkeys(asked or [PUBLISHED, *(name for one in found for name in one.distances)])
    distances, blank = [], torch.zeros(1, 3, side, side)
    for name in names:
        try:
            # A folder of results may come from anywhere, and names what it likes.
            distance = open_distance(name, device, None if asked else False)
            distance.check(blank)
            distances.append(distance)
        except (CheckpointError, ImageError, SettingsError) as error:
            if asked:
                raise
            left_out.append(f"Left out: {told(_of_file(error))}.")
    return distances


def _of_file(error: LatentlabError) -> LatentlabError:
    """Return an error without the advice for those who asked for what is missing."""
    return type(error)(error.message)


def _scores(asked: Sequence[str], fewest: int, left_out: list[str]) -> tuple[str, ...]:
    if asked:
        return tuple(name for name in SCORES if name in asked)
    if fewest < FEWEST_FOR_SCORES:
        left_out.append(f"{_WITHOUT}: they take {FEWEST_FOR_SCORES} pictures or more.")
        return ()
    return SCORES


def _unfetched(
    scores: Sequence[str], weights: Path | None, asked: bool, left_out: list[str]
) -> list[Path]:
    try:
        return unfetched(scores, weights)
    except SettingsError as error:
        if asked:
            raise
        left_out.append(f"{_WITHOUT}: {told(error)}.")
        return []
