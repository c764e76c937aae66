"""Published weights that are not ours to ship: found in torch's hub cache, or fetched into it."""

import http.client
import logging
import sys
from pathlib import Path

import torch
from torch import Tensor

from latentlab.errors import CheckpointError, reason
from latentlab.files import is_file

_logger = logging.getLogger(__name__)


def hub_place(url: str) -> Path:
    """Return where torch's hub cache keeps, or would keep, a published file."""
    return Path(torch.hub.get_dir(), "checkpoints", url.rsplit("/", 1)[1])


def hub_file(url: str, what: str, otherwise: str) -> Path:
    """Return a published file from torch's hub cache, fetching it if it is not there.

    Args:
        url: Where it is published; its name ends in the first digits of its SHA-256.
        what: Who asks for which file; an error message begins with it.
        otherwise: What else helps, as advice of the error.

    Raises:
        CheckpointError: If it cannot be fetched; the message names the file, its place and its URL.
    """
    file = hub_place(url)
    if is_file(file):
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        digest = file.stem.rsplit("-", 1)[1]
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
