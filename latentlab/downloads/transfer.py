"""One file over HTTP, in pieces: what is there of it is kept, and the rest asked for."""

import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from latentlab.downloads.addresses import LOOPBACK, Address
from latentlab.errors import CheckpointError, OutputError, quoted
from latentlab.files import atomic_write
from latentlab.foreign_files.opening import read_regular
from latentlab.version import __version__

# Bytes that are there, and in all if the server says so.
Progress = Callable[[int, int | None], None]

_CHUNK = 2**20
_LARGEST = 2**35  # bytes; the largest checkpoint of this field has less than 2**33
_LARGEST_NOTE = 2**16  # bytes
_SPARE = 2**26  # bytes that are left free on the disk
_TIMEOUT = 30.0  # seconds without a byte
_PAUSES = (0.5, 2.0, 5.0)  # seconds before the connection is tried again
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_REFUSED = (401, 403)
# ValueError: what is no address, no host's name, or no length.
_BROKEN = (OSError, http.client.HTTPException, ValueError)
_LENGTH = re.compile(r"[0-9]{1,18}")
_PLACE = re.compile(r"bytes (\d{1,18})-")  # of a part in the file


class _Busy(Exception):
    """The server, or the way to it, fails for the moment."""


def transfer(address: Address, part: Path, progress: Progress | None) -> None:
    """Have a file in ``part``; what is there of it from before is continued if it is the same.

    Raises:
        CheckpointError: If it cannot be fetched; what came is kept for the next time.
        OutputError: If it cannot be written.
    """
    if part.is_symlink():
        part.unlink()  # what it leads to is not ours to write
    for pause in (*_PAUSES, None):
        before = _size(part)
        try:
            _piece(address, part, progress)
            return
        except _Busy as error:
            if pause is None or isinstance(error.__cause__, urllib.error.URLError):
                came = f"; {_size(part):,} bytes are kept, and the same command goes on"
                after = came if _size(part) else "; try again later, or give a file"
                raise CheckpointError(
                    f"{address.text}: cannot be fetched ({error}){after}"
                ) from error
            time.sleep(pause if _size(part) == before else 0)


def _piece(address: Address, part: Path, progress: Progress | None) -> None:
    """Fetch from where ``part`` ends to the end, in one connection."""
    start, validator = _known(address, part)
    with _ask(address, part, start, validator) as answer:
        if start and answer.status != http.client.PARTIAL_CONTENT:
            start = 0  # the server gives the whole file, which has changed perhaps
        if answer.status == http.client.PARTIAL_CONTENT and _place(answer.headers, start) != start:
            part.unlink(missing_ok=True)
            raise _Busy("the server gives another part of the file than was asked for")
        whole = _whole_size(answer.headers, start)
        _check(address, answer.headers, whole, start, part)
        if not start:
            _note(address, part, answer.headers)
        _receive(answer, part, start, whole, progress)
    if whole is not None and _size(part) != whole:
        raise _Busy(f"the connection ended after {_size(part):,} of {whole:,} bytes")


def _known(address: Address, part: Path) -> tuple[int, str]:
    """Return how much of the file is there, and what tells whether it is still the same."""
    try:
        noted = json.loads(read_regular(_notes(part), _LARGEST_NOTE))
        validator = noted["validator"]
        usable = isinstance(validator, str) and validator.isascii() and validator.isprintable()
        if noted["url"] == address.url and usable and validator:  # it goes into a header
            return _size(part), validator
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return 0, ""


def _note(address: Address, part: Path, headers: Message) -> None:
    etag = headers.get("ETag", "")
    strong = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    with atomic_write(_notes(part)) as path:
        path.write_text(json.dumps({"url": address.url, "validator": strong}), encoding="utf-8")


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _ask(address: Address, part: Path, start: int, validator: str) -> Any:
    headers = {"User-Agent": f"latentlab/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    request = urllib.request.Request(address.url, headers=headers)  # noqa: S310 - https, or loopback
    token = os.environ.get("HF_TOKEN", "") if address.on_hub else ""
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        return urllib.request.build_opener(_Redirects).open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
            raise _Busy("the file is another one by now") from None
        if error.code in _BUSY:
            raise _Busy(f"the server answers {error.code}") from None
        raise CheckpointError(f"{address.text}: {_refusal(error.code, address)}") from error
    except urllib.error.URLError as error:
        raise _Busy(_reason(error.reason)) from error
    except _BROKEN as error:
        raise _Busy(_reason(error)) from None


def _refusal(code: int, address: Address) -> str:
    if code == http.client.NOT_FOUND:
        return f"the server has no such file ({quoted(address.url)}); check the address"
    if code in _REFUSED:
        token = (
            "set HF_TOKEN to a token that may read it"
            if address.on_hub
            else ("fetch it in a browser and give the file")
        )
        return f"the server gives it only to those who may have it ({code}); {token}"
    return f"the server answers {code}; fetch it in a browser and give the file"


def _place(headers: Message, asked: int) -> int:
    """Return where in the file a part of it begins: as the server says, or as it was asked."""
    found = _PLACE.match(headers.get("Content-Range", ""))
    return int(found[1]) if found else asked


def _whole_size(headers: Message, start: int) -> int | None:
    length = headers.get("Content-Length", "")
    return start + int(length) if _LENGTH.fullmatch(length) else None


def _check(address: Address, headers: Message, whole: int | None, start: int, part: Path) -> None:
    """Refuse what is no checkpoint, or too large, before anything is written."""
    if headers.get_content_type() == "text/html":
        raise CheckpointError(
            f"{address.text}: the server answers with a web page, not with a file; open it in a "
            "browser, save the file that it leads to, and give that"
        )
    if whole is not None and whole > _LARGEST:
        raise CheckpointError(f"{address.text}: {whole:,} bytes, more than any checkpoint has")
    free = shutil.disk_usage(part.parent).free
    if whole is not None and whole - start > free - _SPARE:
        raise OutputError(
            f"{part.parent}: {free:,} bytes are free, and {address.text} has {whole:,}; make room, "
            "or set TORCH_HOME to another place"
        )


def _receive(
    answer: Any, part: Path, start: int, whole: int | None, progress: Progress | None
) -> None:
    try:
        file = part.open("r+b" if start else "wb")
    except OSError as error:
        raise _unwritable(part, error) from error
    with file:
        file.seek(start)
        file.truncate()
        while True:
            try:
                # Not `read`: told of a piece of -1 bytes, it takes all there is into memory.
                chunk = answer.read1(_CHUNK)
            except _BROKEN as error:
                raise _Busy(_reason(error)) from None
            if not chunk:
                return
            try:
                file.write(chunk)
                file.flush()
            except OSError as error:
                raise _unwritable(part, error) from error
            start += len(chunk)
            if start > (_LARGEST if whole is None else whole):
                raise CheckpointError(f"{part.name}: the server sends more than it announced")
            if progress is not None:
                progress(start, whole)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to other addresses, but to none without encryption."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        target, leads = urlsplit(newurl), f"{req.full_url}: the server leads to {quoted(newurl)}"
        if target.hostname in LOOPBACK:
            # The network has no business with what is served on this machine.
            if urlsplit(req.full_url).hostname not in LOOPBACK or target.scheme == "ftp":
                raise CheckpointError(f"{leads}, on this machine; it is not followed")
        elif target.scheme != "https":
            raise CheckpointError(f"{leads}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _reason(error: object) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({_reason(error)}); make room, or free it")
