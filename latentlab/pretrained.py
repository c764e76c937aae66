"""Published weights that are not ours to ship: found in torch's hub cache, or fetched into it."""

import http.client
import logging
import sys
from pathlib import Path

import torch
from torch import Tensor

from latentlab.errors import CheckpointError, reason
from latentlab.files import is_file, sha256_of

_logger = logging.getLogger(__name__)


def hub_place(url: str) -> Path:
    """Return where torch's hub cache keeps, or would keep, a published file."""
    return Path(torch.hub.get_dir(), "checkpoints", url.rsplit("/", 1)[1])


def hub_file(url: str, what: str, otherwise: str, *, trust: bool = True) -> Path:
    """Return a published file from torch's hub cache, fetching it if it is not there.

    Whatever is there is held against the digits of its SHA-256 each time, not only when it comes.

    Args:
        url: Where it is published; its name ends in the first digits of its SHA-256.
        what: Who asks for which file; an error message begins with it.
        otherwise: What else helps, as advice of the error.
        trust: Take a file of the cache that is another one, with a warning, and not refuse it.

    Raises:
        CheckpointError: If it cannot be fetched, or is not what was published; the message names
            the file, its place and its URL.
    """
    file = hub_place(url)
    digest = file.stem.rsplit("-", 1)[1]
    if is_file(file):
        _check_digest(file, digest, what, trust)
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _logger.info("fetching %s", url)
        torch.hub.download_url_to_file(
            url, str(file), hash_prefix=digest, progress=sys.stderr.isatty()
        )
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise CheckpointError(
            f"{what} {file.name} are not in {file.parent} and cannot be fetched from {url} "
            f"({error})",
            advice=[
                "put the file there",
                "set TORCH_HOME to the folder that contains hub/",
                otherwise,
            ],
        ) from error
    return file


def _check_digest(file: Path, digest: str, what: str, trust: bool) -> None:
    """Say, or refuse, that a file is not the one whose SHA-256 begins with these digits."""
    try:
        found = sha256_of(file)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror or error})") from error
    if found.startswith(digest):
        return
    said = f"its SHA-256 begins with {found[: len(digest)]}, not {digest}"
    if not trust:
        raise CheckpointError(
            f"{what} in {file} are not those that were published: {said}",
            advice=[
                "delete the file to have it fetched again",
                "give `trust` to take it as it is",
            ],
        )
    _logger.warning("%s in %s are not those that were published: %s", what, file, said)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read a file of weights by name, as data.

    Raises:
        CheckpointError: If it is damaged, or holds something else.
    """
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names a dozen types for a damaged file
        raise CheckpointError(
            f"{file}: damaged weights ({reason(error)}); delete it to fetch it again"
        ) from error
    if not isinstance(weights, dict):
        raise CheckpointError(f"{file}: holds a {type(weights).__name__}, expected weights by name")
    return weights
