"""Training of the small digit classifier that is bundled as "builtin:digits-classifier"."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.datasets.digits import CLASSES, RESOLUTION, Split, digits
from latentlab.errors import NumericalError
from latentlab.images import pixels_to_tensor
from latentlab.networks.classifier import Classifier, ClassifierConfig
from latentlab.numerics import Stream, seeded_initialisation

_LARGEST_CHANGE = 0.15  # of each entry of the affine map; a shift of 0.15 is 2.4 pixels
_NOISE = 0.05  # standard deviation, on a range of two


@dataclass(frozen=True)
class ClassifierSettings:
    """Length and step size of a classifier's training."""

    epochs: int = 60
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    channels: int = 3
    seed: int = 0


def train_classifier(
    settings: ClassifierSettings, on_epoch: Callable[[int, float], None] | None = None
) -> Classifier:
    """Train a classifier on the digits with cross entropy; returns it in eval mode.

    Pictures are turned, stretched and shifted a little, so that generated digits are read as well
    as scanned ones. ``on_epoch`` receives the epoch and its mean loss.

    Raises:
        NumericalError: If the loss is not finite.
    """
    config = ClassifierConfig(RESOLUTION, settings.channels, CLASSES)
    pictures, labels = _tensors("train", settings.channels)
    steps = -(-len(labels) // settings.batch) * settings.epochs
    with seeded_initialisation(settings.seed, Stream.CLASSIFIER_WEIGHTS):
        model = Classifier(config).train()
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=settings.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, steps)
        for epoch in range(settings.epochs):
            rng = np.random.default_rng([settings.seed, Stream.CLASSIFIER_BATCH, epoch])
            losses = []
            for chosen in np.array_split(rng.permutation(len(labels)), steps // settings.epochs):
                batch = _augment(pictures[chosen], rng)
                loss = F.cross_entropy(model(batch), labels[chosen])
                if not bool(torch.isfinite(loss)):
                    raise NumericalError(f"classifier epoch {epoch}: the loss is {loss.item()}")
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
            if on_epoch is not None:
                on_epoch(epoch, float(np.mean(losses)))
    return model.eval().requires_grad_(False)


def accuracy(model: Classifier, split: Split = "held-out") -> float:
    """Share of the digits of a split that the classifier reads as labelled."""
    pictures, labels = _tensors(split, model.config.channels)
    with torch.no_grad():
        return float((model(pictures).argmax(dim=1) == labels).double().mean())


def _tensors(split: Split, channels: int) -> tuple[Tensor, Tensor]:
    pixels, labels = digits(split)
    return pixels_to_tensor(pixels, channels), torch.tensor(labels)


def _augment(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn, stretch, slant and shift each picture a little, and add a little noise."""
    change = rng.uniform(-1, 1, [len(batch), 2, 3]) * _LARGEST_CHANGE
    change[:, [0, 1], [0, 1]] += 1
    places = F.affine_grid(torch.from_numpy(change).float(), list(batch.shape), align_corners=False)
    moved = F.grid_sample(batch + 1, places, align_corners=False) - 1  # black beyond the border
    noise = rng.standard_normal(batch.shape, dtype=np.float32) * _NOISE
    return moved + torch.from_numpy(noise)
