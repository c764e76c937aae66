"""What a projection may weigh besides the perceptual distance."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from latentlab.errors import SettingsError
from latentlab.projection.settings import ProjectorSettings
from latentlab.projection.targets import TargetFeatures
from latentlab.projection.whitening import Whitening


class Identity(Protocol):
    """A network that tells faces apart, such as ``FaceIdentity``."""

    def embeddings(self, images: Tensor) -> Tensor:
        """Return a vector of length 1 [N,D] for each image [N,C,R,R] in [-1,1]."""


# From the images [N,C,R,R] that count and what Adam moves [N,rows,w_dim] to a number for each.
_Term = Callable[[Tensor, Tensor], Tensor]


class Terms:
    """The terms of a batch that have a weight, by the names of their columns in the history."""

    def __init__(
        self,
        settings: ProjectorSettings,
        wanted: TargetFeatures,
        identity: Identity | None,
        whitening: Whitening | None,
    ) -> None:
        """Look at the targets once."""
        self._wanted = wanted
        self._terms: dict[str, tuple[float, _Term]] = {}
        if settings.pixel_weight:
            self._terms["pixel_mse"] = settings.pixel_weight, self._pixels
        if identity is not None:
            self._network = identity
            with torch.no_grad():
                self._faces = identity.embeddings(wanted.targets)
            self._terms["identity_loss"] = settings.identity_weight, self._identity
        if whitening is not None:
            self._terms["p_norm"] = settings.p_norm_weight, lambda _, w: whitening(w)

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        return list(self._terms)

    def __call__(self, images: Tensor, w: Tensor) -> tuple[Tensor | float, list[Tensor]]:
        """Return the weighted sum [N], 0 without any term, and each term [N] without its weight.

        Args:
            images: Rendered [N,C,R,R]; within masks, if there are any, is what counts.
            w: What they were rendered from [N,rows,w_dim].
        """
        if not self._terms:
            return 0.0, []
        seen = self._wanted.seen(images)
        values = [term(seen, w) for _, term in self._terms.values()]
        weights = [weight for weight, _ in self._terms.values()]
        return sum(a * b for a, b in zip(weights, values, strict=True)), values

    def _pixels(self, images: Tensor, _: Tensor) -> Tensor:
        return (images - self._wanted.targets).square().mean(dim=(1, 2, 3))

    def _identity(self, images: Tensor, _: Tensor) -> Tensor:
        # Of images that are not finite the distance is not, either; the network would refuse them.
        faces = self._network.embeddings(images.nan_to_num(0.0, 1.0, -1.0))
        return 1 - (faces * self._faces).sum(dim=1)


def check_identity(settings: ProjectorSettings, identity: Identity | None) -> None:
    """Raise SettingsError unless a weight and a network for it are both there, or neither."""
    if settings.identity_weight and identity is None:
        raise SettingsError("`identity_weight` weighs a network's view", advice=["give `identity`"])
    if identity is not None and not settings.identity_weight:
        raise SettingsError("`identity` counts by its weight", advice=["give `identity_weight`"])
