"""What a projection gives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from latentlab.projection.settings import PUBLISHED, ProjectorSettings

if TYPE_CHECKING:
    import pandas as pd

MEAN_W, GIVEN = -1, -2  # start_index where no sample was chosen


@dataclass(frozen=True)
class Projection:
    """What projecting N images gives.

    Attributes:
        ws: Latents [N,num_ws,w_dim]; in space "w" all rows of an image are equal. Of a generator
            without W, what its first layer takes [N,1,...].
        noise: Optimised noise maps, one [N,1,h,w] for each noise layer.
        images: The images rendered from them, [N,C,R,R].
        distance: Perceptual distance of each rendered image to its target [N], as it was
            optimised: with masks it is the distance within the mask, that of the image that has
            the target's pixels where the mask is 0.
        start_distance: The same for the image of the w where the optimisation starts [N], with
            the generator's own noise maps, or those that it went on from.
        history: One row for each image and step: distance, noise penalty, loss, learning rate;
            with masks also ``plain_distance``, that of the whole image; and of the terms with a
            weight, without it: ``pixel_mse``, ``identity_loss``, ``p_norm``. By
            L-BFGS there is ``step_size`` in place of the learning rate: the share that was taken of
            the step that the curvature suggests. There are fewer rows where no step gains anything
            any more.
        settings: The constants used.
        diverged: Whether an image's loss became NaN or infinite, so that its latents are the
            best until then [N]; all False unless that was asked for.
        mean_distance: As ``start_distance``, for the image of the mean w [N]; NaN without W.
        start_index: Number of the sampled w that an image started from [N], or ``MEAN_W``, or
            ``GIVEN`` where it went on from given latents.
        plain_distance: Distance of the whole image to its target, whatever the masks [N]; without
            masks it is ``distance``.
        plain_start_distance: ``start_distance`` of the whole image [N].
        plain_mean_distance: ``mean_distance`` of the whole image [N].
        z: In space "z" the latents that were found [N,z_dim], of mean square 1; otherwise None.
    """

    ws: Tensor
    noise: list[Tensor]
    images: Tensor
    distance: Tensor
    start_distance: Tensor
    history: "pd.DataFrame"
    settings: ProjectorSettings
    diverged: Tensor
    mean_distance: Tensor
    start_index: Tensor
    plain_distance: Tensor
    plain_start_distance: Tensor
    plain_mean_distance: Tensor
    z: Tensor | None = None


def joined(parts: Sequence[Projection]) -> Projection:
    """Put the projections of consecutive images together, in order."""
    import pandas as pd

    counts = [len(part.ws) for part in parts]
    histories = [
        part.history.assign(image=part.history["image"] + sum(counts[:i]))
        for i, part in enumerate(parts)
    ]
    tensors: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name, value in vars(parts[0]).items()
        if isinstance(value, Tensor)
    }
    noise = [torch.cat(levels) for levels in zip(*(part.noise for part in parts), strict=True)]
    history = pd.concat(histories, ignore_index=True)
    return replace(parts[0], noise=noise, history=history, **tensors)


def history_frame(
    trace: Tensor, names: Sequence[str], settings: ProjectorSettings
) -> "pd.DataFrame":
    """Tabulate numbers [steps,columns,N] by their names: one row for each step and image."""
    import pandas as pd

    steps, count, n = trace.shape
    places = pd.MultiIndex.from_product([range(steps), range(n)], names=["step", "image"])
    losses = trace.permute(0, 2, 1).reshape(-1, count).double().numpy()
    frame = pd.DataFrame(losses, places, list(names)).reset_index()
    if settings.algorithm != PUBLISHED:
        return frame
    return frame.assign(learning_rate=frame["step"].map(settings.learning_rate_at))
