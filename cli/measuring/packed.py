"""Batches of samples as few arrays: a file of thousands of batches stays small, and opens at once.

Batches with arrays of the same names, types and shapes form a group. Of a group there are the
sample numbers of each batch, the names, and of each name the rows of all batches with their counts.
"""

from collections.abc import Mapping

import numpy as np

from metrics.sampling import Arrays

_SAMPLES, _NAMES = "samples", "names"


def pack(parts: Mapping[range, Arrays]) -> Arrays:
    """Return batches as arrays, which ``unpack`` takes apart again."""
    groups: dict[tuple[object, ...], list[range]] = {}
    for samples, arrays in parts.items():
        kind = tuple((name, rows.dtype.str, rows.shape[1:]) for name, rows in arrays.items())
        groups.setdefault(kind, []).append(samples)
    packed: Arrays = {}
    for i, batches in enumerate(groups.values()):
        names = list(parts[batches[0]])
        packed[f"{i}/{_SAMPLES}"] = np.array([[part.start, part.stop] for part in batches])
        packed[f"{i}/{_NAMES}"] = np.array(names, dtype=np.str_)
        for j, name in enumerate(names):
            rows = [parts[part][name] for part in batches]
            packed[f"{i}/{j}/counts"] = np.array([len(each) for each in rows])
            packed[f"{i}/{j}/rows"] = np.concatenate(rows)
    return packed


def unpack(packed: Arrays) -> dict[range, Arrays]:
    """Return the batches that were packed.

    Raises:
        ValueError, KeyError, IndexError: If the arrays are not as ``pack`` makes them.
    """
    parts: dict[range, Arrays] = {}
    for key in packed:
        group, _, kind = key.partition("/")
        if kind != _SAMPLES:
            continue
        batches = [range(int(start), int(stop)) for start, stop in packed[key].tolist()]
        for j, name in enumerate(packed[f"{group}/{_NAMES}"].tolist()):
            counts, rows = packed[f"{group}/{j}/counts"], packed[f"{group}/{j}/rows"]
            if len(counts) != len(batches) or counts.min() < 0 or counts.sum() != len(rows):
                raise ValueError("its batches and their rows do not fit")
            cut = np.split(rows, counts.cumsum()[:-1])
            for samples, mine in zip(batches, cut, strict=True):
                parts.setdefault(samples, {})[str(name)] = mine
    return parts
