"""A server of files on this machine, which can misbehave as those of the network do."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class FileServer:
    """What the server gives, and what it was asked for.

    Attributes:
        url: Where it is.
        files: The bytes of each path.
        breaks: Bytes of an answer after which the connection breaks, once for each item.
        statuses: Answers that are given before anything else.
        redirects: Where a path leads to.
        content_type: Of every answer.
        ranges: Whether a part of a file can be asked for.
        says_length: Whether answers say how long they are.
        raw: What is sent in place of an answer, if anything; the last is sent for ever.
        shift: Bytes that a part begins later than was asked for.
        asked: The path and the headers of every request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/octet-stream"
    ranges: bool = True
    says_length: bool = True
    raw: tuple[bytes, ...] = ()
    shift: int = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serve files until the block ends."""
    served = FileServer(files=dict(files))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, served)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(request: BaseHTTPRequestHandler, served: FileServer) -> None:
    served.asked.append((request.path, dict(request.headers)))
    path = request.path.partition("?")[0]
    if served.raw:
        _send_raw(request, served.raw)
    elif served.statuses:
        _refuse(request, served.statuses.pop(0))
    elif path in served.redirects:
        request.send_response(302)
        request.send_header("Location", served.redirects[path])
        request.send_header("Content-Length", "0")
        request.end_headers()
    elif path not in served.files:
        _refuse(request, 404)
    else:
        _send(request, served, served.files[path])


def _send_raw(request: BaseHTTPRequestHandler, raw: tuple[bytes, ...]) -> None:
    *once, last = raw
    request.close_connection = True
    with suppress(OSError):  # of one who has heard enough
        request.wfile.write(b"".join(once))
        while last:
            request.wfile.write(last)


def _refuse(request: BaseHTTPRequestHandler, status: int) -> None:
    request.send_response(status)
    request.send_header("Content-Length", "0")
    request.end_headers()


def _send(request: BaseHTTPRequestHandler, served: FileServer, content: bytes) -> None:
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
    start = 0
    if wanted and served.ranges and request.headers.get("If-Range") == etag:
        start = int(wanted[1])
        if start >= len(content):
            _refuse(request, 416)
            return
    request.send_response(206 if start else 200)
    request.send_header("ETag", etag)
    request.send_header("Content-Type", served.content_type)
    if start:
        start += served.shift
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    if served.says_length:
        request.send_header("Content-Length", str(len(content) - start))
    request.end_headers()
    left = content[start:]
    with suppress(ConnectionError):  # of one who has heard enough
        request.wfile.write(left[: served.breaks.pop(0)] if served.breaks else left)
