"""Running classifiers on generated images, each as it expects them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlab import Generator, LatentError, NumericalError, SettingsError
from latentlab.checks import check
from latentlab.images import as_rgb, check_channels, shrink
from latentlab.networks.discriminators import Discriminator
from latentlab.numerics import Stream, full_precision
from metrics import sampling
from metrics.sampling import GROUP
from metrics.separability.attributes import attribute_logits, attribute_names

MAX_RESOLUTION = 256  # larger images are box-averaged down first, as published

Classifier = Callable[[Tensor], Tensor]  # images [N,3,R,R] in [-1,1] to logits [N,K]
_MAPPED_AT_ONCE = 1000  # of z to w, whatever the batch


def classify(
    classifiers: Sequence[Classifier], names: Sequence[str], images: Tensor
) -> list[Tensor]:
    """Return the outputs [N,K] of each classifier on the CPU, N a multiple of 4.

    The published classifiers have a minibatch standard deviation: they compare each image with
    its group of 4 consecutive ones, whatever N is.

    Args:
        classifiers: Modules or functions; a ``config`` with resolution and channels is heeded.
        names: What messages call them.
        images: Generated images [N,C,R,R] in [-1,1], C 1, 3 or 4; alpha is laid on white.

    Raises:
        LatentError: If a classifier takes larger images than these.
        NumericalError: If an output is not finite.
        SettingsError: If an output is not [N,K].
    """
    sizes = [_expected(classifier, "resolution") or MAX_RESOLUTION for classifier in classifiers]
    images = shrink(images, max([MAX_RESOLUTION, *sizes]))
    return [
        _run(classifier, name, _fitted(classifier, name, images))
        for classifier, name in zip(classifiers, names, strict=True)
    ]


@contextmanager
def evaluating(classifiers: Sequence[Classifier]) -> Iterator[None]:
    """Have modules in eval mode, and as they were afterwards."""
    with ExitStack() as stack:
        for classifier in classifiers:
            if isinstance(classifier, nn.Module) and classifier.training:
                for part in classifier.modules():
                    stack.callback(setattr, part, "training", part.training)
                classifier.eval()
        yield


def _expected(classifier: Classifier, what: str) -> int | None:
    value = getattr(getattr(classifier, "config", None), what, None)
    return value if isinstance(value, int) else None


def check_size(classifier: Classifier, name: str, side: int) -> None:
    """Raise LatentError for a classifier of larger images than those of the generator."""
    size = _expected(classifier, "resolution")
    if size is not None and side < size:
        raise LatentError(
            f"{name} takes images of {size}x{size}, but the generator's are {side}x{side}; use a "
            "classifier for images of that size or smaller"
        )


def _fitted(classifier: Classifier, name: str, images: Tensor) -> Tensor:
    """Bring images [N,C,R,R] to a classifier's size, channels and device."""
    check_size(classifier, name, images.shape[-1])
    size, channels = _expected(classifier, "resolution"), _expected(classifier, "channels") or 3
    images = shrink(images, size or MAX_RESOLUTION)
    if channels != images.shape[1]:
        images = as_rgb(images)
    if channels == 1:
        images = images.mean(dim=1, keepdim=True)
    if isinstance(classifier, nn.Module):
        images = images.to(next(classifier.parameters(), images))  # its own device and type
    return images.contiguous()


def _run(classifier: Classifier, name: str, images: Tensor) -> Tensor:
    """Return outputs [N,K], with the groups of a minibatch standard deviation as published."""
    config = classifier.config if isinstance(classifier, Discriminator) else None
    if config is None or config.mbstd_num_channels == 0:
        return _outputs(classifier, name, images)
    if config.mbstd_group_size != GROUP:
        return torch.cat([_outputs(classifier, name, group) for group in images.split(GROUP)])
    # The network's groups are strided: sample i of N belongs to its group i mod N / 4.
    strided = images.unflatten(0, (-1, GROUP)).transpose(0, 1).flatten(0, 1)
    outputs = _outputs(classifier, name, strided)
    return outputs.reshape(GROUP, -1, outputs.shape[1]).transpose(0, 1).flatten(0, 1)


def _outputs(classifier: Classifier, name: str, images: Tensor) -> Tensor:
    outputs: object = classifier(images)
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != len(images):
        found = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise SettingsError(
            f"{name} must return logits [N,K], but returned {found} for {len(images)} images"
        )
    outputs = outputs.detach().cpu().float()
    if outputs.shape[1] == 0 or not bool(torch.isfinite(outputs).all()):
        raise NumericalError(f"{name} returned logits that are NaN, infinite, or none at all")
    return outputs


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
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> Classified:
    """Classify the pictures of samples 0, 1, 2, ...; see ``linear_separability`` for arguments."""
    check_channels(g.channels)
    called = _checked_names(classifiers, names)
    attribute_logits(torch.zeros(1, 1), outputs)  # checks the word

    def compute(samples: range) -> sampling.Arrays:
        group = range(samples.start, -(-samples.stop // GROUP) * GROUP)
        images = sampling.render_samples(g, group, seed, Stream.SEPARABILITY)
        found = classify(classifiers, called, images)
        logits = [attribute_logits(part, outputs)[: len(samples)].float() for part in found]
        # Copies, as small tensors among large ones would keep the memory between them.
        return {f"logits_{i}": part.numpy() for i, part in enumerate(logits)}

    size = sampling.batch_size(g, batch)
    with evaluating(classifiers):
        arrays = sampling.in_batches(compute, range(num_samples), size, finished, progress)
    logits = [arrays[f"logits_{i}"] for i in range(len(classifiers))]
    attributes = []
    for classifier, part, own in zip(classifiers, logits, called, strict=True):
        before = f"{own} " if len(called) > 1 else ""
        names_of = getattr(getattr(classifier, "config", None), "classes", ())
        classes = [f"{before}{name}" for name in names_of]
        attributes += attribute_names(own, part.shape[1], classes)
    rows = np.concatenate(logits, axis=1).T
    return Classified(rows, attributes, called, float(arrays["seconds"].sum()))


@full_precision()
@torch.no_grad()
def draw_latents(g: Generator, space: str, num_samples: int, seed: int) -> NDArray[np.float32]:
    """Draw the latents [N,D] of all those samples again; of w, the last layer's."""
    latents = np.empty([num_samples, g.z_dim if space == "z" else g.w_dim], dtype=np.float32)
    for start in range(0, num_samples, _MAPPED_AT_ONCE):
        samples = range(num_samples)[start : start + _MAPPED_AT_ONCE]
        z, c = sampling.draw_samples(g, samples, seed, Stream.SEPARABILITY)
        rows = z if space == "z" else g.mapping(z, c)[:, -1]
        latents[start : samples.stop] = rows.cpu().float().numpy()
    return latents


def _checked_names(classifiers: Sequence[Classifier], names: Sequence[str] | None) -> list[str]:
    if callable(classifiers) or not all(callable(one) for one in classifiers) or not classifiers:
        raise SettingsError("`classifiers` must be a list of one or more, from images to logits")
    if names is None:
        return [f"classifier {i}" for i in range(len(classifiers))]
    fits = len(names) == len(classifiers)
    check(fits, "names", f"{len(classifiers)}, one per classifier", len(names))
    return [str(name) for name in names]
