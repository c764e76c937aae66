"""Generated samples classified by attribute: pictures are made, classified, and dropped.

z is taken as drawn, w untruncated from the last layer, and pictures have random noise, as in
section 4.2 of Karras et al. 2019.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, SettingsError
from latentlab.numerics import Stream, full_precision
from metrics.attributes import attribute_logits, attribute_names
from metrics.classification import Classifier, class_names, classify, evaluating
from metrics.sampling import (
    GROUP,
    Arrays,
    Finished,
    Progress,
    batch_size,
    draw_noise_maps,
    draw_samples,
    in_batches,
    render,
    z_batches,
)

_MAPPED_AT_ONCE = 1000  # of z to w, whatever the batch


@dataclass(frozen=True)
class Classified:
    """What classifiers say of numbered samples.

    Attributes:
        logits: Of each attribute [A,N]; a positive one is the attribute.
        names: Of the attributes.
        classifiers: What they are called.
        seconds: All of it.
    """

    logits: NDArray[np.float32]
    names: list[str]
    classifiers: list[str]
    seconds: float


@full_precision()
@torch.no_grad()
def classify_samples(
    g: Generator,
    classifiers: Sequence[Classifier],
    num_samples: int,
    seed: int = 0,
    *,
    names: Sequence[str] | None = None,
    outputs: str = "classes",
    batch: int | None = None,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> Classified:
    """Classify the pictures of samples 0, 1, 2, ...; see ``linear_separability`` for arguments."""
    called = _checked_names(classifiers, names)
    attribute_logits(torch.zeros(1, 1), outputs)  # checks the word

    def compute(samples: range) -> Arrays:
        group = range(samples.start, -(-samples.stop // GROUP) * GROUP)
        found = classify(classifiers, called, _images(g, group, seed))
        logits = [attribute_logits(part, outputs)[: len(samples)].float() for part in found]
        # Copies, as small tensors among large ones would keep the memory between them.
        return {f"logits_{i}": part.numpy() for i, part in enumerate(logits)}

    with evaluating(classifiers):
        arrays = in_batches(compute, range(num_samples), batch_size(g, batch), finished, progress)
    logits = [arrays[f"logits_{i}"] for i in range(len(classifiers))]
    attributes = []
    for classifier, part, own in zip(classifiers, logits, called, strict=True):
        before = f"{own} " if len(called) > 1 else ""
        classes = [before + name for name in class_names(classifier)]
        attributes += attribute_names(own, part.shape[1], classes)
    rows = np.concatenate(logits, axis=1).T
    return Classified(rows, attributes, called, float(arrays["seconds"].sum()))


@full_precision()
@torch.no_grad()
def draw_latents(g: Generator, space: str, num_samples: int, seed: int) -> NDArray[np.float32]:
    """Draw the latents [N,D] of all those samples again; of w, the last layer's."""
    dimensions = g.z_dim if space == "z" else g.w_dim
    latents, done = np.empty([num_samples, dimensions], dtype=np.float32), 0
    for z, c in z_batches(g, num_samples, seed, Stream.SEPARABILITY, _MAPPED_AT_ONCE):
        rows = z if space == "z" else g.mapping(z, c)[:, -1]
        latents[done : done + len(z)] = rows.cpu().float().numpy()
        done += len(z)
    return latents


def _images(g: Generator, samples: range, seed: int) -> Tensor:
    """Render numbered samples with random noise."""
    z, c = draw_samples(g, samples, seed, Stream.SEPARABILITY)
    return render(g, z, c, draw_noise_maps(g, samples, seed, Stream.SEPARABILITY))


def _checked_names(classifiers: Sequence[Classifier], names: Sequence[str] | None) -> list[str]:
    if callable(classifiers) or not all(callable(one) for one in classifiers) or not classifiers:
        raise SettingsError("`classifiers` must be a list of one or more, from images to logits")
    if names is None:
        return [f"classifier {i}" for i in range(len(classifiers))]
    if len(names) != len(classifiers):
        raise SettingsError(f"`names` must be {len(classifiers)}, but got {len(names)}")
    return [str(name) for name in names]
