"""Folders of training runs, with tiny snapshots."""

import latentlab
from tests.conftest import make_generator


def make_run(folder, *thousands, **changes):
    """Write a snapshot for each number of thousand images; returns the folder."""
    folder.mkdir(exist_ok=True)
    for kimg in thousands:
        path = folder / f"snapshot-{kimg * 1000:09d}.safetensors"
        latentlab.save(make_generator(kimg, **changes), path, {"training": {"images": kimg * 1000}})
    return folder
