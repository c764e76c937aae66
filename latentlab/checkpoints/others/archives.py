"""Archives with a checkpoint inside: which member it is, and how to get it out.

torch.save writes zip archives as well; those are left to their reader.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from latentlab.checkpoints.pickles.stored_zip import read_directory
from latentlab.errors import CheckpointError, quoted, shown
from latentlab.foreign_files.opening import open_regular, size_of
from latentlab.torchscript import is_program

CHECKPOINTS = (".pkl", ".pt", ".pth", ".safetensors", ".ckpt", ".model", ".pickle", ".bin")
PACKED = (".gz", ".bz2", ".xz")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tiff", ".jfif")
_LATENTS = "latents in .npz go to `latentlab generate --projected-w`"

_BLOCK = 512  # bytes in a tar archive
_MOST_MEMBERS = 1_000  # of a tar archive that are looked at
_PLAIN = b"0\0"  # what marks a member that is a file
_LONG_NAME, _RECORDS = ord("L"), ord("x")  # and what comes before one with a long name
_MOST_OF_NAMES = 2**14  # bytes
_SHOWN = 70  # characters of a name
_SAVED_BEFORE_2017 = {"pickle", "storages", "tensors"}
_SAFE_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,80}")


def zip_told(file: Path) -> str | None:
    """Say what a zip archive holds, unless torch.save wrote it, or it is damaged."""
    with open_regular(file) as stream:
        try:
            members, _ = read_directory(stream, size_of(stream))
        except CheckpointError:
            return None
    names = [member.name for member in members if not member.name.endswith("/")]
    if not names or _is_of_torch(names):
        return None
    if all(name.endswith(".npy") for name in names):
        return f"a zip archive, but not of torch.save: arrays of numpy (.npz); {_LATENTS}"
    if "model.weights.h5" in names:
        return "a model of Keras, which is not opened"
    return _with_members("zip", file, names, "unzip {archive} {member}")


def tar_told(file: Path) -> str:
    """Say what a tar archive holds."""
    names = _tar_names(file)
    if set(names) >= _SAVED_BEFORE_2017:
        return (
            "a tar archive as torch.save wrote it before 2017; save it again with a newer PyTorch"
        )
    return _with_members("tar", file, names, "tar -xf {archive} {member}")


def is_tar(start: bytes) -> bool:
    """Whether a file starts with the first member of a tar archive."""
    return start[257:262] == b"ustar"


def named_like_a_checkpoint(name: str) -> bool:
    """Whether a name has the ending of a checkpoint, and is not one of a system's hidden files."""
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    stem = path.with_suffix("") if path.suffix.lower() in PACKED and path.stem else path
    return not hidden and stem.suffix.lower() in CHECKPOINTS


def _is_of_torch(names: Sequence[str]) -> bool:
    """Whether torch.save wrote the archive, or somebody took one apart."""
    parts = [name.split("/") for name in names]
    known = any(part[-1] == "data.pkl" or part[1:2] == ["data"] for part in parts)
    return known or is_program(names)


def _with_members(kind: str, file: Path, names: Sequence[str], command: str) -> str:
    inside = [name for name in names if named_like_a_checkpoint(name)]
    if inside:
        member = inside[0]
        plain = all(_SAFE_WORD.fullmatch(word) for word in (file.name, member))
        how = f" (`{command.format(archive=file.name, member=member)}`)" if plain else ""
        others = inside[1:]
        many = f" and {len(others)} more checkpoints" if others else ""
        it = "one" if others else "it"
        return (
            f"a {kind} archive with {_named(member)}{many} inside; extract {it}{how} and give that"
        )
    pictures = [name for name in names if name.lower().endswith(_PICTURES)]
    if len(pictures) > len(names) / 2:
        return (
            f"a {kind} archive of pictures, and not a checkpoint; `latentlab train` learns from it"
        )
    held = shown([_named(name) for name in names[:3]])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    form = f"{kind} archive, but not of torch.save," if kind == "zip" else f"{kind} archive"
    return f"a {form} without a checkpoint inside: it holds {held or 'nothing'}{more}"


def _named(name: str) -> str:
    """Quote the end of a name, which says what it is."""
    return quoted(name if len(name) <= _SHOWN else f"...{name[-_SHOWN:]}")


def _tar_names(file: Path) -> list[str]:
    """Return the names of the first members; a damaged header ends the list."""
    names: list[str] = []
    long_name = ""
    position = 0
    with open_regular(file) as stream:
        size = size_of(stream)
        for _ in range(_MOST_MEMBERS):
            stream.seek(position)
            header = stream.read(_BLOCK)
            length = _octal(header[124:136])
            if len(header) < _BLOCK or not is_tar(header) or length is None:
                break
            if header[156] in (_LONG_NAME, _RECORDS):
                content = stream.read(min(length, _MOST_OF_NAMES))
                long_name = _long_name(content, header[156]) or long_name
            elif header[156] in _PLAIN:
                names.append(long_name or _tar_name(header))
                long_name = ""
            position += _BLOCK * (1 + -(-length // _BLOCK))
            if position >= size:
                break
    return names


def _long_name(content: bytes, form: int) -> str:
    if form == _RECORDS:
        match = re.search(rb"^\d{1,5} path=([^\n]*)\n", content, re.MULTILINE)
        content = match[1] if match else b""
    return content.split(b"\0")[0].decode("utf-8", "replace").removeprefix("./")


def _octal(field: bytes) -> int | None:
    text = field.strip(b" \0")
    return int(text, 8) if text and all(digit in b"01234567" for digit in text) else None


def _tar_name(header: bytes) -> str:
    parts = (header[345:500], header[:100])
    texts = [part.split(b"\0")[0].decode("utf-8", "replace") for part in parts]
    return "/".join(text for text in texts if text).removeprefix("./")
