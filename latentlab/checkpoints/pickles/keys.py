"""Keys of dicts and items of sets, as text and small numbers.

A file chooses what is hashed: hashing a deep tuple ends the process, and large numbers with equal
hashes stop it. No network has other keys than text and small numbers, but what scripts keep beside
one has: a short value becomes text, and what is long or deep is refused.
"""

from latentlab.checkpoints.pickles.limits import Budget
from latentlab.errors import CheckpointError

_MAX_ITEMS = 8  # of a tuple
_MAX_TEXT = 100
_MAX_BITS = 64


def safe_key(key: object, budget: Budget) -> str | int:
    """Return a key that may be hashed; one that is neither text nor a small number is described.

    >>> safe_key((0, "a"), Budget(0))
    "<tuple (0, 'a')>"

    Raises:
        CheckpointError: If it is no short value, nor a short tuple of such.
    """
    # Old optimisers name their parameters by addresses, of up to 47 bits.
    if isinstance(key, str) or (type(key) is int and abs(key) < 2**48):
        return key
    return _described(key, "a key", budget)


def safe_item(item: object, budget: Budget) -> str:
    """Return an item of a set as text, as ``safe_key`` does."""
    return item if isinstance(item, str) else _described(item, "an item of a set", budget)


def _described(value: object, what: str, budget: Budget) -> str:
    items = value if type(value) is tuple and len(value) <= _MAX_ITEMS else (value,)
    if not all(map(_is_short, items)):
        raise CheckpointError(f"{what} of type {type(value).__name__} where text was expected")
    budget.take_object()
    return f"<{type(value).__name__} {value!r}>"


def _is_short(item: object) -> bool:
    if isinstance(item, str | bytes):
        return len(item) <= _MAX_TEXT
    if type(item) is int:
        return item.bit_length() <= _MAX_BITS
    return item is None or type(item) in (bool, float)
