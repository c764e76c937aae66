"""Directions found without labels: GANSpace's in the spread of w, and SeFa's in the weights.

Of a direction and its opposite, the one whose largest entry is positive is taken.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latentlab.checks import check
from latentlab.editing.directions import Directions
from latentlab.editing.w_moments import WMoments
from latentlab.errors import LatentError, SettingsError
from latentlab.networks.generator import Generator
from latentlab.networks.layers import Linear, ToRGB
from latentlab.networks.lucidrains import LucidrainsBlock

_FLAT = 1e-6  # of the largest deviation; below it, w does not vary


def principal_directions(
    moments: WMoments, count: int, layers: Sequence[int] | None = None, sha256: str = ""
) -> Directions:
    """Return the principal components of w (GANSpace, Härkönen et al. 2020, section 2.1).

    The origin of each is the mean of w. Facts: ``explained_variance``, its share of the whole
    variance of w.

    Args:
        moments: Of the generator's w.
        count: How many, largest variance first; fewer where w varies along fewer.
        layers: Layers to move where nobody names others.
        sha256: Of the generator's file.
    """
    _check_count(count, len(moments.mean))
    variances, vectors = torch.linalg.eigh(moments.covariance)
    order = variances.argsort(descending=True)[:count]
    deviations = moments.deviations(vectors.T[order])
    kept = order[deviations > _FLAT * deviations[0]]
    if len(kept) == 0:
        raise LatentError("w does not vary: it is the same for all samples of this generator")
    share = (variances[kept] / variances.clamp(min=0).sum()).tolist()
    return _found("pca", vectors.T[kept], moments, layers, sha256, {"explained_variance": share})


def sefa_directions(
    g: Generator,
    moments: WMoments,
    count: int,
    layers: Sequence[int] | None = None,
    sha256: str = "",
) -> Directions:
    """Return the directions that change styles most (SeFa, Shen and Zhou 2021, Eq. 5).

    These are the eigenvectors of A' A, where A [styles,w_dim] stacks the weights that make styles
    from w in the chosen layers, as the network applies them. Those of ToRGB are left out. Their
    origin is the mean of w. Facts: ``eigenvalue``, and its ``share`` of the sum of all.

    Args:
        g: The generator.
        moments: Of its w, for the unit.
        count: How many, largest eigenvalue first.
        layers: Layers whose weights are taken, and which move where nobody names others; None:
            all.
        sha256: Of the generator's file.

    Raises:
        SettingsError: If the layers have no style weights.
    """
    _check_count(count, g.w_dim)
    weights = style_weights(g)
    chosen = [weight for i, weight in enumerate(weights) if layers is None or i in set(layers)]
    if not chosen:
        raise SettingsError(
            f"`layers`: no style weights there; this generator's are 0 to {len(weights) - 1}"
        )
    a = torch.cat(chosen)
    values, vectors = torch.linalg.eigh(a.T @ a)
    order = values.argsort(descending=True)[:count]
    facts = {
        "eigenvalue": values[order].tolist(),
        "share": (values[order] / values.clamp(min=0).sum()).tolist(),
    }
    return _found("sefa", vectors.T[order], moments, layers, sha256, facts)


def style_weights(g: Generator) -> list[Tensor]:
    """Return each layer's weights [styles,w_dim] that make its style from w, in float64.

    StyleGAN1's make scales and shifts. StyleGAN2's last w goes to ToRGB alone, and has none.
    lucidrains' two layers of a resolution have one w, and their weights are one tensor.
    """
    found = [weights for part in g.synthesis.modules() for weights in _of_one_w(part)]
    if not found:
        raise LatentError("this generator makes no styles from w: its weights hold no directions")
    return [weights.cpu() for weights in found]


def _of_one_w(part: nn.Module) -> list[Tensor]:
    """Return the weights of a part that takes one w; none if it is another, or ToRGB."""
    if isinstance(part, LucidrainsBlock):  # its layers share their w
        layers = (part.conv0, part.conv1)
        return [torch.cat([each.style.weight.detach().double() for each in layers])]
    affine = None if isinstance(part, ToRGB) else getattr(part, "affine", None)
    if not isinstance(affine, Linear):
        return []
    return [affine.weight.detach().double() * affine.weight_gain]


def _found(
    method: str,
    vectors: Tensor,
    moments: WMoments,
    layers: Sequence[int] | None,
    sha256: str,
    facts: dict[str, list[float]],
) -> Directions:
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    vectors = (vectors * largest.sign()).float()
    return Directions(
        tuple(f"{method}{i}" for i in range(len(vectors))),
        vectors,
        moments.deviations(vectors),
        vectors.double() @ moments.mean,
        method,
        None if layers is None else tuple(layers),
        sha256,
        {name: tuple(values) for name, values in facts.items()},
        {"samples": moments.samples, "seed": moments.seed},
    )


def _check_count(count: int, w_dim: int) -> None:
    check(1 <= count <= w_dim, "components", f"1 to {w_dim} for this generator", count)
