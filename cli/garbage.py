"""When Python looks for garbage: not while a command is being imported, nor as it ends.

A command that computes imports some 300,000 objects, none of which is ever garbage. Python walks
through them again and again while they gather, and once more at the end, which took a third of the
time that importing torch takes.
"""

import atexit
import gc
import sys

_IMPORTED = 500_000  # objects: more than any command imports
_USUAL = gc.get_threshold()
_COMPILER = "triton"  # of --compile


def spare_imports() -> None:
    """Leave objects alone until ``look_as_usual``, or until there are too many; those left at last.

    What holds nothing that refers to itself is freed at once all the same.
    """
    gc.set_threshold(_IMPORTED, *_USUAL[1:])
    atexit.register(_leave)


def _leave() -> None:
    """Leave all objects as they are, but for those of a compiler that complains of what is left."""
    if _COMPILER in sys.modules:
        gc.unfreeze()
    else:
        gc.freeze()


def look_as_usual() -> None:
    """Look for garbage as often as Python does, though not among what is there by now."""
    if gc.get_threshold()[0] == _IMPORTED:
        gc.freeze()
        gc.set_threshold(*_USUAL)
