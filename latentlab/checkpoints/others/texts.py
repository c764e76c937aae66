"""Text in place of a checkpoint: web pages, messages of servers, pointers to the real file."""

import html
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from latentlab.errors import quoted, shown
from latentlab.foreign_files.opening import open_regular

LOOKED_AT = 2**16  # bytes of a text; a title or a message stands at its start

_Told = str | None  # what a text is and what to do, or None

_GET_AGAIN = "the address is wrong, has expired, or needs a login; get the file again"
# Words of web pages -> how to get the file from there.
_SITES: Mapping[str, str] = MappingProxyType(
    {
        "google drive": "Google Drive asks before it hands out a large file: open the address in a "
        "browser and confirm, or use gdown",
        "drive.google.com": "Google Drive wants a login, or asks before it hands out a large file: "
        "open the address in a browser",
        "huggingface.co": "on Hugging Face the address of a file has /resolve/ in place of /blob/",
        "github.com": "on GitHub the address of a file has /raw/ in place of /blob/",
        "dropbox": "on Dropbox the address of a file ends in dl=1",
    }
)
# Short texts of servers that say why there is no file.
_REFUSED = re.compile(
    r"not found|denied|forbidden|unauthori[sz]ed|no permission|restricted|expired|invalid|quota"
    r"|too many|rate limit|error|gated|log ?in|sign in",
    re.IGNORECASE,
)
_LONGEST_MESSAGE = 500  # characters
_LFS = re.compile(r"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/")
_LFS_SIZE = re.compile(r"^size (\d{1,18})$", re.MULTILINE)
_ANNEX = re.compile(r"/?(?:\.git/)?annex/objects/")
_ANNEX_SIZE = re.compile(r"-s(\d{1,18})-")


def text_of(start: bytes) -> str | None:
    """Return the beginning of a file as text, or None if it is none."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if start.startswith(mark):
            return start.removeprefix(mark if encoding == "utf-8" else b"").decode(
                encoding, "replace"
            )
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in start) or not start.strip():
        return None
    try:
        return start.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two at the end; older pages are in other alphabets.
        return start.decode("utf-8" if error.start > len(start) - 4 else "latin-1", "ignore")


def told(file: Path, text: str) -> _Told:
    """Say what a text is, if it is known; nothing in it is followed or run."""
    found = (tell(file, text) for tell in _KINDS)
    return next((words for words in found if words is not None), None)


def in_place_of(file: Path) -> str | None:
    """Say what stands in place of a file of any kind: a web page, a pointer; None if neither."""
    with open_regular(file) as stream:
        text = text_of(stream.read(LOOKED_AT))
    if text is None:
        return None
    return _web_page(file, text) or _pointer(file, text)


def _web_page(_: Path, text: str) -> _Told:
    start = text.lstrip()[:2000].lower()
    if not start.startswith(("<!doctype html", "<html", "<head", "<body")) and not (
        start.startswith(("<!--", "<?xml", "<!doctype")) and "<html" in start
    ):
        return None
    match = re.search(r"<title[^<>]{0,200}>([^<]{0,1000})<", text, re.IGNORECASE)
    title = " ".join(html.unescape(match[1]).split()) if match else ""
    called = f" ({quoted(title)})" if title else ""
    sites = (how for word, how in _SITES.items() if word in title.lower() or word in text.lower())
    how = next(sites, "open the address in a browser, and save the file that it leads to")
    return f"an HTML page{called}, which a download gave in place of the file; {how}"


def _pointer(_: Path, text: str) -> _Told:
    if _LFS.match(text):
        size = _LFS_SIZE.search(text)
        of = f" to a file of {int(size[1]):,} bytes" if size else ""
        return (
            f"a Git-LFS pointer{of}, and not the file; run `git lfs install` and `git lfs pull` in "
            "its repository, or download the file from the repository's page"
        )
    if _ANNEX.match(text):
        return f"{annex(text)}; run `git annex get` on it in its repository"
    if re.match(r"(?:md5: \w+\n)?(?:frozen: \w+\n)?outs:\n- ", text):
        return "a pointer of DVC, and not the file; run `dvc pull` in its repository"
    return None


def annex(target: str) -> str:
    """Describe a pointer of git-annex."""
    size = _ANNEX_SIZE.search(target.rpartition("/")[2])
    return f"a git-annex pointer{f' to a file of {int(size[1]):,} bytes' if size else ''}"


def _xml(_: Path, text: str) -> _Told:
    if not text.lstrip().startswith(("<?xml", "<Error>", "<error>")):
        return None
    code, message = (_element(text, name) for name in ("Code", "Message"))
    if not re.search(r"<Error[\s>]", text, re.IGNORECASE) or not (code or message):
        return "an XML file, and not a checkpoint"
    return _refusal("XML", ": ".join(part for part in (code, message) if part))


def _element(text: str, name: str) -> str:
    match = re.search(rf"<{name}>([^<]{{0,1000}})<", text, re.IGNORECASE)
    return " ".join(html.unescape(match[1]).split()) if match else ""


def _json(_: Path, text: str) -> _Told:
    if not re.match(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\d\]])", text):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        if said := _message(found):
            return _refusal("JSON", said)
        if "weight_map" in found:
            return "a list of files that hold a model's weights (JSON), and not the weights"
        keys = shown([quoted(key) for key in list(found)[:5]])
        return f"a JSON file with the keys {keys or '(none)'}, and not a checkpoint"
    return "JSON text, and not a checkpoint"


def _message(found: Mapping[str, Any]) -> str:
    """Return what an answer of a server complains about, or nothing."""
    lower = {str(key).lower(): value for key, value in found.items()}
    for key in ("error", "errors", "message", "detail", "error_description", "msg"):
        value = lower.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            value = next((v for k, v in value.items() if k.lower() in ("message", "detail")), None)
        if isinstance(value, str) and value:
            return value
    return ""


def _tensorflow(_: Path, text: str) -> _Told:
    if not text.startswith("model_checkpoint_path:"):
        return None
    return "the list of a TensorFlow training run's checkpoints, and not a checkpoint; " + PICKLES


def _link(_: Path, text: str) -> _Told:
    if not text.lstrip().lower().startswith("[internetshortcut]"):
        return None
    return "a link to a web page, and not a checkpoint; open it in a browser and save the file"


def _short_message(_: Path, text: str) -> _Told:
    words = " ".join(text.split())
    if len(text) > _LONGEST_MESSAGE or not _REFUSED.search(words):
        return None
    return _refusal("text", words)


def _refusal(form: str, said: str) -> str:
    return f"a server's error message ({form}) in place of the file: {quoted(said)}; {_GET_AGAIN}"


PICKLES = "NVIDIA's code writes what opens here as .pkl (network-snapshot-000000.pkl)"
_KINDS: tuple[Callable[[Path, str], _Told], ...] = (
    _web_page, _pointer, _xml, _json, _tensorflow, _link, _short_message,
)  # fmt: skip
