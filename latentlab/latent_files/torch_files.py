"""Latents in what torch.save and pickle write: tensors, lists and dicts of them.

The projector of rosinality/stylegan2-pytorch writes {file: {"img", "latent", "noise"}}.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.checkpoints.pickles.records import type_in_words
from latentlab.errors import LatentError, quoted, shown
from latentlab.latent_files.found import (
    EITHER,
    MOST_AXES,
    W_KEYS,
    FoundLatents,
    Part,
    alike,
    as_floats,
    pick_key,
)
from latentlab.latents import Z_KEY

_LATENT, _NOISE = "latent", "noise"  # of rosinality
_MOST = 100_000  # pictures
_KINDS = "a tensor, a list or dict of tensors, or {file: {latent, noise}}"


def latents_in(found: object, where: str, keys: Sequence[str]) -> FoundLatents:
    """Return the latents in an object as data.

    Raises:
        LatentError: If it holds none, or something else beside them.
    """
    if _is_array(found):
        return FoundLatents([_part(found, where)], W_KEYS[0])
    if isinstance(found, list | tuple) and 0 < len(found) <= _MOST and all(map(_is_array, found)):
        return FoundLatents([_part(each, where) for each in found], W_KEYS[0])
    if type(found) is dict and 0 < len(found) <= _MOST:
        return _of_dict(found, where, keys)
    raise LatentError(f"{where}: holds no latents, but {_said(found)}; expected {_KINDS}")


def _of_dict(found: Mapping[Any, Any], where: str, keys: Sequence[str]) -> FoundLatents:
    pictures = {
        str(name): each for name, each in found.items() if _is_name(name) and type(each) is dict
    }
    if len(pictures) == len(found) and all(_LATENT in each for each in pictures.values()):
        parts = [_projection(each, where, name) for name, each in pictures.items()]
        return FoundLatents(parts, W_KEYS[0])
    if _is_array(found.get(_LATENT)) and type(found.get(_NOISE)) in (list, tuple):
        return FoundLatents([_projection(found, where, None)], W_KEYS[0])
    arrays = {str(k): each for k, each in found.items() if _is_name(k) and _is_array(each)}
    key = pick_key(list(arrays), [*keys, *sorted(EITHER)], any_other=len(found) == 1)
    if key is not None:
        said = key if key in EITHER | {Z_KEY} else W_KEYS[0]
        return FoundLatents([_part(arrays[key], where)], said)
    named = len(arrays) == len(found) and Z_KEY not in arrays
    if named and alike(each.shape for each in arrays.values()):
        parts = [_part(each, where, name) for name, each in arrays.items()]
        return FoundLatents(parts, W_KEYS[0])
    raise LatentError(f"{where}: holds no latents, but {_said(found)}; expected {_KINDS}")


def _projection(one: Mapping[Any, Any], where: str, name: str | None) -> Part:
    called = where if name is None else f"{where}: {quoted(name)}"
    if not _is_array(one[_LATENT]):
        raise LatentError(f"{called}: `{_LATENT}` is not a tensor")
    part, maps = _part(one[_LATENT], where, name), one.get(_NOISE)
    maps = () if maps is None else maps
    if type(maps) not in (list, tuple) or not all(map(_is_array, maps)):
        raise LatentError(f"{called}: `{_NOISE}` is not a list of tensors")
    noise = [as_floats(_numbers(each), called, f"`{_NOISE}`") for each in maps]
    return Part(part.values, name, tuple(torch.from_numpy(each.astype("f4")) for each in noise))


def _is_name(key: object) -> bool:
    return type(key) in (str, int)


def _is_array(value: object) -> bool:
    return type(value) in (Tensor, np.ndarray)


def _numbers(value: Any) -> NDArray[Any]:
    if type(value) is Tensor:
        is_half = value.dtype == torch.bfloat16  # which numpy does not know
        array: NDArray[Any] = (value.float() if is_half else value).numpy()
        return array
    return np.asarray(value)


def _part(value: Any, where: str, name: str | None = None) -> Part:
    called = "the tensor" if name is None else quoted(name)
    array = as_floats(_numbers(value), where, called)
    if not 1 <= array.ndim <= MOST_AXES or array.size == 0:
        raise LatentError(
            f"{where}: {called} has shape {list(array.shape)}, expected floats [N, num_ws, w_dim]"
        )
    return Part(array, name)


def _said(found: object) -> str:
    """Describe an object in a few words."""
    if type(found) is dict:
        keys = [str(key) if _is_name(key) else type(key).__name__ for key in list(found)[:5]]
        return f"the keys {shown(keys)}" if found else "nothing"
    size = f" of {len(found)}" if isinstance(found, list | tuple) else ""
    return f"an object of type {type_in_words(found)}{size}"
