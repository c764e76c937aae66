"""The one reader of latents that other tools wrote; the content decides the kind."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from latentlab.checkpoints.others.texts import in_place_of
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.checkpoints.pickles.torch_save import STREAM_START, ZIP_START, read_torch
from latentlab.errors import CheckpointError, LatentError, shown
from latentlab.foreign_files.opening import open_regular
from latentlab.latent_files.found import EITHER, W_KEYS, FoundLatents, Part, alike, pick_key
from latentlab.latent_files.torch_files import latents_in
from latentlab.latents import Z_KEY
from latentlab.tensor_files import MAX_BYTES, npz_names, npz_shapes, read_npy, read_npz

ANY_SHAPE = (("D",), ("N", "D"), ("N", "num_ws", "D"), ("N", "M", "num_ws", "D"))
NPY_START = b"\x93NUMPY"

_PICKLE_START = b"\x80"
_MOST_NAMES = 10_000
_SIZE = 4  # bytes of a float, of most
_KINDS = ".npz, .npy, .pt of torch.save, .safetensors or .parquet"


def read_latent_file(
    path: Path,
    keys: Sequence[str] = W_KEYS,
    max_bytes: int = MAX_BYTES,
    any_name: bool = True,
    check: Callable[[str, Sequence[int]], None] = lambda _called, _shape: None,
) -> FoundLatents:
    """Read latents from .npy, .npz, or what torch.save wrote; nothing in a file is run.

    Args:
        path: The file.
        keys: Names that an array of latents may have, the likeliest first.
        max_bytes: Most bytes of one array, and of several together.
        any_name: Whether arrays of other names will do where it is clear what they are: one array
            alone, or several of one shape, which are named after their pictures.
        check: Called with what an array is called in messages and its shape, before the array is
            unpacked from an archive; raises LatentError for those that are not wanted.

    Raises:
        LatentError: If it is missing, damaged, holds something else, NaN or infinity.
    """
    start = _start_of(path)
    if start.startswith(NPY_START):
        return FoundLatents([Part(read_npy(path, ANY_SHAPE, max_bytes=max_bytes))], W_KEYS[0])
    is_zip = start.startswith(ZIP_START)
    if (is_zip and _is_torch(path)) or start.startswith((STREAM_START, _PICKLE_START)):
        return _of_torch(path, is_zip or start.startswith(STREAM_START), keys)
    if start and not start.startswith(b"PK"):
        words = in_place_of(path)
        rest = f"; expected {_KINDS}" if words is None else f", but {words}"
        raise LatentError(f"{path}: not a readable file of latents{rest}")
    names = npz_names(path)
    key = pick_key(names, [*keys, *(sorted(EITHER) if any_name else ())], any_name)
    if key is not None:
        check(f"{path}: `{key}`", npz_shapes(path)[key])
        values = read_npz(path, {key: ANY_SHAPE}, max_bytes=max_bytes)[key]
        return FoundLatents([Part(values)], key if key in {Z_KEY, *EITHER} else W_KEYS[0])
    several = any_name and 1 < len(names) <= _MOST_NAMES and Z_KEY not in names
    if several and alike((shapes := npz_shapes(path)).values()):
        check(f"{path}: `{names[0]}`", shapes[names[0]])
        if _SIZE * sum(map(math.prod, shapes.values())) > max_bytes:
            raise LatentError(f"{path}: over {max_bytes:,} bytes together; split the file")
        found = read_npz(path, dict.fromkeys(names, ANY_SHAPE), max_bytes=max_bytes)
        return FoundLatents([Part(found[name], name) for name in names], W_KEYS[0])
    wanted = " or ".join(f"`{each}`" for each in keys if each in {W_KEYS[0], Z_KEY})
    raise LatentError(f"{path}: no array {wanted} inside, only {shown(names) or 'nothing'}")


def _start_of(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(len(STREAM_START))
    except FileNotFoundError as error:
        raise LatentError(f"{path}: no such file") from error
    except OSError as error:
        raise LatentError(f"{path}: cannot be read ({error.strerror})") from error


def _is_torch(path: Path) -> bool:
    """Whether a zip archive is torch.save's, by its pickle; by its name where it is damaged."""
    try:
        return any(name.endswith("/data.pkl") for name in npz_names(path))
    except LatentError:
        return path.suffix in (".pt", ".pth")


def _of_torch(path: Path, is_torch: bool, keys: Sequence[str]) -> FoundLatents:
    try:
        found = read_torch(path) if is_torch else read_pickle(path)
    except CheckpointError as error:
        raise LatentError(error.message, advice=error.advice) from error
    return latents_in(found, str(path), keys)
