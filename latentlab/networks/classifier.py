"""A small convolutional classifier, whose features also serve as a perceptual distance."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.checks import as_images
from latentlab.networks import checks


@dataclass(frozen=True)
class ClassifierConfig:
    """Description of a Classifier."""

    resolution: int
    channels: int
    classes: tuple[str, ...]  # name of each logit
    widths: tuple[int, ...] = (16, 32, 48)  # feature maps of each stage

    def __post_init__(self) -> None:
        checks.whole(self.resolution, "resolution", 4, 1024)
        checks.whole(self.channels, "channels", 1, 64)
        names = self.classes
        fits = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
        checks.check(fits and 1 <= len(names) <= 10_000, "classes", "1 to 10000 names", names)
        fits = isinstance(self.widths, tuple) and all(type(width) is int for width in self.widths)
        fits = fits and all(0 < width <= 2048 for width in self.widths)
        halvings = len(self.widths) - 1 if fits else -1
        fits = 0 <= halvings <= 8 and self.resolution >> halvings >= 2
        checks.check(fits, "widths", "1 to 2048 each, few enough for the resolution", self.widths)


class Classifier(nn.Module):
    """Stages of two 3x3 convolutions at halving resolutions, then a dense layer on the mean."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        maps_in = config.channels
        for i, maps in enumerate(config.widths):
            first = nn.Conv2d(maps_in, maps, 3, padding=1)
            second = nn.Conv2d(maps, maps, 3, padding=1)
            self.add_module(f"stage{i}", nn.Sequential(first, nn.ReLU(), second, nn.ReLU()))
            maps_in = maps
        size = config.resolution >> (len(config.widths) - 1)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(maps_in * (size // 2) ** 2, len(config.classes))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps of each stage for images [N,channels,R,R] in [-1,1].

        Raises:
            LatentError: If images have the wrong shape or are whole numbers.
        """
        size, stages = self.config.resolution, list[Tensor]()
        shape = (self.config.channels, size, size)
        x = as_images(images, shape, self.head.weight.dtype, "images")
        for i in range(len(self.config.widths)):
            x = self.get_submodule(f"stage{i}")(F.avg_pool2d(x, 2) if i > 0 else x)
            stages.append(x)
        return stages

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N,classes] for images [N,channels,R,R] in [-1,1]."""
        x = F.avg_pool2d(self.features(images)[-1], 2).flatten(1)
        logits: Tensor = self.head(self.dropout(x))
        return logits

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return class probabilities [N,classes], without gradients."""
        logits: Tensor = self(images)
        return logits.softmax(dim=1)
