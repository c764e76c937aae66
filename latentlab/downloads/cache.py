"""The cache of what was fetched: each file in a folder of its own, with where it came from."""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from latentlab.downloads.addresses import LOCK, RECORD, Address, parse_address
from latentlab.downloads.transfer import Progress, transfer
from latentlab.errors import CheckpointError
from latentlab.files import atomic_write, is_file, make_directory, sha256_of
from latentlab.foreign_files.opening import read_regular
from latentlab.locks import locked

_ELSEWHERE = "set TORCH_HOME to another place"
_LARGEST_RECORD = 2**16  # bytes; ours have some hundred


def fetch(address: str, progress: Progress | None = None) -> Path:
    """Return a checkpoint of the network as a file of the cache, fetching it the first time.

    The cache is the folder ``latentlab`` in torch's hub cache (``TORCH_HOME``). A file that is
    there is checked against the SHA-256 that it had when it came, and the network is left alone.
    What is fetched is not run, and not opened.

    Args:
        address: ``https://host/file``, ``hf://owner/repo/file``, or a public name such as
            ``ngc:stylegan2-ffhq-1024x1024``; ``#sha256=DIGEST`` behind it says which file it is.
        progress: Called with the bytes that are there, and the bytes in all (None: not known).

    Raises:
        SettingsError: If it is no address.
        CheckpointError: If it cannot be fetched, or is not the file that it must be.
        OutputError: If it cannot be written, or its folder cannot be locked.
    """
    wanted = parse_address(address)
    kept = _kept(wanted)
    if kept is not None:
        return kept
    folder = make_directory(_folder(wanted))
    # One process fetches; others wait, and find it.
    with locked(folder / LOCK, folder, elsewhere=_ELSEWHERE, wait=True):
        kept = _kept(wanted)
        if kept is not None:
            return kept
        part = folder / f"{wanted.file_name}.part"
        transfer(wanted, part, progress)
        return _keep(wanted, part)


def fetched(address: str) -> Path | None:
    """Return the file of the cache, if it has been fetched; the network is left alone.

    Raises:
        SettingsError: If it is no address.
        CheckpointError: If the file was changed since, or is not the one that it must be.
    """
    return _kept(parse_address(address))


def origin_of(file: Path) -> Mapping[str, Any]:
    """Return what is known of a file of the cache: address, url, sha256, size, date; {} if none."""
    try:
        record = json.loads(read_regular(file.parent / RECORD, _LARGEST_RECORD))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _folder(address: Address) -> Path:
    key = hashlib.sha256(address.url.encode()).hexdigest()[:16]
    return Path(torch.hub.get_dir(), "latentlab", key)


def _kept(address: Address) -> Path | None:
    file = _folder(address) / address.file_name
    if not is_file(file):
        return None
    digest, known = sha256_of(file), origin_of(file).get("sha256")
    if digest != known:
        raise CheckpointError(
            f"{address.text}: {file} is not as it came; delete {file.parent} to fetch it again"
        )
    _check_digest(address, digest, f"{file} has")
    return file


def _keep(address: Address, part: Path) -> Path:
    """Check a file that has come, and give it its name."""
    digest = sha256_of(part)
    notes = part.with_name(f"{part.name}.json")
    try:
        _check_digest(address, digest, "what came has")
    except CheckpointError:
        part.unlink()
        notes.unlink(missing_ok=True)
        raise
    record = {
        "address": address.text, "url": address.url, "sha256": digest,
        "size": part.stat().st_size, "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    with atomic_write(part.parent / RECORD) as path:
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    file = part.with_name(address.file_name)
    os.replace(part, file)
    notes.unlink(missing_ok=True)
    return file


def _check_digest(address: Address, digest: str, found: str) -> None:
    if address.sha256 not in ("", digest):
        raise CheckpointError(
            f"{address.text}: {found} the SHA-256 {digest}, not {address.sha256}; it is another "
            "file, or was changed on the way"
        )
