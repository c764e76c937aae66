"""Folders and links in place of a file: what is inside, and what of it to give."""

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from latentlab.checkpoints.others.archives import named_like_a_checkpoint
from latentlab.checkpoints.others.texts import PICKLES, annex
from latentlab.errors import quoted, shown

_MOST = 10_000  # entries that are looked at
_SHOWN = 3
_HINT = "give a checkpoint, or a name such as builtin:digits-stylegan2"


def folder_told(folder: Path) -> str:
    """Say what a folder holds."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in islice(entries, _MOST))
    if "data.pkl" in names:
        return (
            "a folder with the parts of a file of torch.save, which some browsers unpack; get the "
            "file again and keep it whole"
        )
    if "saved_model.pb" in names:
        return f"a folder with a SavedModel of TensorFlow, which is not opened; {PICKLES}"
    inside = [name for name in names if named_like_a_checkpoint(name)]
    if inside:
        return f"is not a file but a folder; give one of its files: {_some(inside)}"
    if any(name.endswith(".index") for name in names):
        return f"a folder with a checkpoint of TensorFlow, which is not opened; {PICKLES}"
    if not names:
        return f"is not a file but an empty folder; {_HINT}"
    return f"is not a file but a folder without a checkpoint ({_some(names)}); {_HINT}"


def _some(names: Sequence[str]) -> str:
    # The last of a training run's snapshots is what is wanted most.
    last = list(names[-_SHOWN:][::-1])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return shown([quoted(name) for name in last]) + more


def link_told(link: Path) -> str | None:
    """Say where a link leads that leads nowhere; None for what is no link."""
    if not link.is_symlink():
        return None
    target = os.readlink(link)
    if "annex/objects/" in target.replace(os.sep, "/"):
        return f"{annex(target)}, which is not here; run `git annex get` on it in its repository"
    return f"a link to {quoted(target)}, which does not exist"
