"""The one batching helper: keyed latents in batches, the same samples whatever the batch size."""

from collections.abc import Iterator

from torch import Tensor

from latentlab import Generator, SettingsError
from latentlab.latents import draw_labels, draw_z


def z_batches(
    g: Generator, num_samples: int, seed: int, stream: int, batch: int = 64
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield z [N,z_dim] and labels [N,c_dim] (None without labels) for samples 0, 1, 2, ...

    Raises:
        SettingsError: If a count is below 1.
    """
    for name, value in (("num_samples", num_samples), ("batch", batch)):
        if value < 1:
            raise SettingsError(f"`{name}` must be a positive integer, but got {value}")
    for start in range(0, num_samples, batch):
        indices = range(start, min(start + batch, num_samples))
        z = draw_z(indices, g.z_dim, seed, stream).to(g.device)
        c = draw_labels(indices, g.c_dim, seed, stream).to(g.device) if g.c_dim else None
        yield z, c
