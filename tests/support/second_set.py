"""The second set of genuine files with reference outputs, beside the first."""

import numpy as np
import pytest
import torch

import latentlab

# Of the difference between the original code in float32 and in float64 that a file's reference
# states: two float32 evaluations in another order differ by up to twice that, and by more where
# values are larger than in the image that it was measured on.
TIMES_STATED = 5


def opened(shared, file, **options):
    """Open a file, and return it with its reference as tensors, or skip."""
    path = shared / "more" / file
    reference = path.with_name(f"{path.stem}_ref.npz")
    if not path.is_file() or not reference.is_file():
        pytest.skip(f"{file} and its reference are not in {path.parent}")
    with np.load(reference) as arrays:
        ref = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    return latentlab.load(path, **options), ref


def assert_images(found, ref, name):
    """Require images to be those of the reference, as closely as float32 allows."""
    atol = TIMES_STATED * float(ref["maxdiff_f32_f64"])
    torch.testing.assert_close(found, ref[name], atol=atol, rtol=0)


def assert_same_after_saving(checkpoint, path, *calls):
    """Require a native copy to compute the same bits, by calls of a checkpoint."""
    latentlab.save(checkpoint, path)
    copy = latentlab.load(path)
    assert list(copy.networks) == list(checkpoint.networks)
    for call in calls:
        assert torch.equal(call(copy), call(checkpoint))
    for key, value in checkpoint.metadata.items():
        assert copy.metadata[key] == value, key
