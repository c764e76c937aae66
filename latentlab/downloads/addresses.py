"""Where a checkpoint may be: https://, hf://owner/repo/file, and public names such as ngc:NAME."""

import os
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from latentlab.errors import SettingsError, quoted, shown

LOOPBACK = ("localhost", "127.0.0.1", "::1")  # may be asked without encryption

OWN_NAMES = (RECORD, LOCK) = ("fetched.json", "lock")  # of the cache, beside a file

_HUB = "https://huggingface.co"  # unless HF_ENDPOINT names another, as for its own tools
_NAMES = Path(__file__).with_name("public_names.toml")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_SHA256 = re.compile(r"sha256=([0-9a-f]{64})")
_HUB_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DRIVE = "gdrive"  # NVIDIA's names of files there
_LONGEST = 2000  # characters of an address
_UNFIT = re.compile(r'[\x00-\x20\x7f"<>\\^`{|}]')  # not part of any URL
_NAME_UNFIT = re.compile(r"[^A-Za-z0-9._+-]")  # of a file's name on any system


@dataclass(frozen=True)
class Address:
    """A file on the network.

    Attributes:
        text: As it was given, without the digest that it must have.
        url: Where it is.
        file_name: What it is called on disk.
        sha256: The digest that it must have; "" if nothing is said.
        on_hub: Whether it is asked for as the Hugging Face Hub's, with a token if there is one.
    """

    text: str
    url: str
    file_name: str
    sha256: str = ""
    on_hub: bool = False


def is_address(text: object) -> bool:
    """Whether a checkpoint's name is an address on the network rather than a file's."""
    name = str(text)
    family, colon, _ = name.partition(":")
    known = bool(colon) and (family in _families() or family == _DRIVE)
    return _SCHEME.match(name) is not None or known


def parse_address(text: str) -> Address:
    """Understand an address.

    ``#sha256=DIGEST`` behind one says which file it must be. ``hf://owner/repo/file`` may name a
    revision: ``hf://owner/repo@revision/file``.

    Raises:
        SettingsError: If it is none, or of a kind that is not fetched.
    """
    plain, _, fragment = text.partition("#")
    digest = _SHA256.fullmatch(fragment)
    if (fragment and digest is None) or len(text) > _LONGEST or _UNFIT.search(plain):
        raise SettingsError(
            f"{quoted(text)} is no address; what may stand behind # is sha256=DIGEST, and nothing "
            "else of the kind"
        )
    sha256 = digest[1] if digest else ""
    if plain.startswith("hf://"):
        url = _hub_url(plain)
        return Address(plain, url, _file_name(url), sha256, on_hub=True)
    scheme = _SCHEME.match(plain)
    url = plain if scheme else _public_url(plain)
    if scheme:
        _check_url(url)
    return Address(plain, url, _file_name(url), sha256)


def public_names() -> list[str]:
    """Return the short names of public checkpoints, such as "ngc:stylegan2-ffhq-1024x1024"."""
    return [f"{family}:{name}" for family, names in _families().items() for name in names]


@cache
def _families() -> dict[str, dict[str, str]]:
    """Return the URL of each public name, by family."""
    tables = tomllib.loads(_NAMES.read_text(encoding="utf-8"))
    return {
        family: {name: each["address"].format(name=name) for each in rows for name in each["names"]}
        for family, rows in tables.items()
    }


def _public_url(text: str) -> str:
    family, _, name = text.partition(":")
    if family == _DRIVE:
        raise SettingsError(
            f"{quoted(text)} is on Google Drive, which answers with web pages; fetch it in a "
            "browser and give the file, or a public name such as stylegan2:ffhq-config-f"
        )
    urls = _families().get(family, {})
    name = name.removesuffix(".pkl")
    if name not in urls:
        close = get_close_matches(name, urls, n=3) or list(urls)
        known = shown([f"{family}:{each}" for each in close])
        raise SettingsError(f"{quoted(text)}: no such public name; there are {known}")
    return urls[name]


def _hub_url(text: str) -> str:
    parts = text.removeprefix("hf://").split("/")
    owner, repo, *folders = parts if len(parts) > 2 else ("", "", "")
    repo, _, revision = repo.partition("@")
    if not all(map(_HUB_PART.fullmatch, (owner, repo, *folders))):
        raise SettingsError(f"{quoted(text)} is no address; give hf://owner/repo/file")
    base = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _HUB
    _check_url(f"{base}/")
    place = "/".join(map(quote, folders))
    return f"{base}/{owner}/{repo}/resolve/{quote(revision or 'main', safe='')}/{place}"


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None:
        raise SettingsError(f"{quoted(url)} is no address; give https://host/file")
    if parts.username is not None:
        raise SettingsError(f"{quoted(host)}: an address with a password in it; leave it out")
    if parts.scheme.lower() == "http" and host not in LOOPBACK:
        raise SettingsError(f"{quoted(url)} is not encrypted; give it as https://")
    if parts.scheme.lower() not in ("http", "https"):
        raise SettingsError(
            f"{quoted(url)}: {parts.scheme}:// is not fetched; give https://, or "
            "hf://owner/repo/file"
        )


def _file_name(url: str) -> str:
    """Return the last part of a URL's path as a name that any system takes."""
    last = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    name = _NAME_UNFIT.sub("_", last).lstrip(".")[-100:] or "checkpoint"
    return f"_{name}" if name.lower() in OWN_NAMES else name
