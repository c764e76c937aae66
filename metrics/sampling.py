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
        SettingsError: If a count is below 1, or the seed below 0.
    """
    for name, value, least in (
        ("num_samples", num_samples, 1),
        ("batch", batch, 1),
        ("seed", seed, 0),
    ):
        if type(value) is not int or value < least:
            raise SettingsError(f"`{name}` must be a whole number >= {least}, but got {value!r}")
    for start in range(0, num_samples, batch):
        indices = range(start, min(start + batch, num_samples))
        z = draw_z(indices, g.z_dim, seed, stream).to(g.device)
        c = draw_labels(indices, g.c_dim, seed, stream).to(g.device) if g.c_dim else None
        yield z, c
