"""How a projection compares images with its targets: perceptually, and within a mask.

Images with alpha have two views, on white and on black, and distances are averaged over both.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from latentlab.errors import ImageError, LatentError, NumericalError, SettingsError
from latentlab.images import averaged, check_channels, views
from latentlab.networks.generator import Generator
from latentlab.perceptual import PerceptualDistance

Distance = Callable[[Tensor, Tensor], Tensor]
Features = list[list[Tensor]]  # of each view of a batch of images, each tensor with N rows


class TargetFeatures:
    """Fixed targets, whose features are computed once, and the distances to them."""

    def __init__(self, distance: Distance, targets: Tensor, masks: Tensor | None = None) -> None:
        """Take targets [N,C,R,R] in [-1,1], and masks [N,1,R,R] in [0,1] of what counts."""
        self.targets, self.masks = targets, masks
        self._distance = distance
        with torch.no_grad():
            self._wanted = features_of(distance, targets)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the distance [N] of each image [N,C,R,R] to its own target."""
        return self.whole(self.seen(images))

    def seen(self, images: Tensor) -> Tensor:
        """Return images with the target's pixels where their masks, if there are any, are 0."""
        return images if self.masks is None else self.targets.lerp(images, self.masks)

    def whole(self, images: Tensor) -> Tensor:
        """Return the distance [N] of each image to its own target, whatever the masks."""
        return _compared(self._distance, features_of(self._distance, images), self._wanted)

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distances [N] within the masks, where there are any, and of the whole."""
        within = self(images)
        return within, within if self.masks is None else self.whole(images)

    def to_one(self, index: int, images: Tensor) -> Tensor:
        """Return the distances [K] of images [K,C,R,R] to one of the targets."""
        if self.masks is not None:
            images = self.targets[index].lerp(images, self.masks[index])
        return self.features_to_one(index, features_of(self._distance, images))

    def features_to_one(self, index: int, features: Features) -> Tensor:
        """Return the distances [K] of images, given by their features, to one of the targets."""
        one = [[stage[index : index + 1] for stage in view] for view in self._wanted]
        return _compared(self._distance, features, one)


def features_of(distance: Distance, images: Tensor) -> Features:
    """Return what images are compared by: a foreign distance takes their views themselves."""
    if isinstance(distance, PerceptualDistance):
        return [distance.features(view) for view in views(images)]
    return [[view] for view in views(images)]


def _compared(distance: Distance, found: Features, wanted: Features) -> Tensor:
    """Return distances [N] between features; a single wanted row is compared with every other."""
    return averaged([_of_view(distance, *pair) for pair in zip(found, wanted, strict=True)])


def _of_view(distance: Distance, found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    if isinstance(distance, PerceptualDistance):
        return distance.compare(found, wanted)
    (images,), (targets,) = found, wanted
    distances = distance(targets.expand_as(images), images)
    if distances.numel() != len(images):
        raise SettingsError(
            f"`distance` must give one number for each image, but gave {list(distances.shape)} for "
            f"{len(images)}"
        )
    return distances.reshape(len(images))  # lpips gives [N,1,1,1]


def check_targets(g: Generator, images: Tensor, c: Tensor | None) -> Tensor:
    """Return images [N,C,R,R] in [-1,1] on the generator's device and in its dtype.

    Raises:
        ImageError: If they do not fit the generator or hold NaN.
        LatentError: If there is a label ``c``, but the generator has none, or if its images are
            no pictures.
    """
    check_channels(g.channels)
    if c is not None and g.c_dim == 0:
        raise LatentError("this generator has no labels", advice=["leave `c` out"])
    wanted = [g.channels, g.resolution, g.resolution]
    if images.ndim != 4 or list(images.shape[1:]) != wanted or len(images) == 0:
        shape = ", ".join(str(size) for size in ["N", *wanted])
        raise ImageError(f"`images` must have shape [{shape}], but got {list(images.shape)}")
    if not images.is_floating_point():
        raise ImageError(f"`images` must be floats in [-1,1], but got {images.dtype}")
    for i, image in enumerate(images):
        if not bool(torch.isfinite(image).all()):
            raise ImageError(f"`images`: image {i} holds NaN or infinity; mend it or leave it out")
    return images.detach().to(next(g.parameters()))


def check_losses(loss: Tensor, where: str, first: int = 0) -> None:
    """Raise NumericalError, naming the image, counted from ``first``, for losses not finite."""
    bad = (~torch.isfinite(loss)).nonzero().flatten().tolist()
    if bad:
        raise NumericalError(
            f"{where}: the loss of image {first + bad[0]} is {loss[bad[0]].item()}",
            advice=["lower `learning_rate`"],
        )


def check_masks(masks: Tensor, images: Tensor) -> Tensor:
    """Return masks [N,1,R,R] on the device and in the dtype of their images [N,C,R,R].

    Raises:
        ImageError: If they have another shape, values outside [0,1], or one is zero all over.
    """
    wanted = [len(images), 1, *images.shape[2:]]
    if list(masks.shape) != wanted:
        raise ImageError(f"`masks` must have shape {wanted}, but got {list(masks.shape)}")
    if not masks.is_floating_point():
        raise ImageError(f"`masks` must be floats in [0,1], but got {masks.dtype}")
    masks = masks.detach().to(images)
    for i, mask in enumerate(masks):
        if not bool(((mask >= 0) & (mask <= 1)).all()):
            raise ImageError(f"`masks`: mask {i} has values outside [0,1]")
        if not bool(torch.any(mask > 0)):
            raise ImageError(f"`masks`: mask {i} is zero all over, so nothing counts")
    return masks
