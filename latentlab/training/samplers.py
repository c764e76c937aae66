"""Images as training draws them.

Generated ones have random labels, latents, mixed styles and noise; real ones are shuffled.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import distributed
from latentlab.datasets.pictures import Dataset
from latentlab.networks.generator import Generator
from latentlab.numerics import Stream
from latentlab.training.config import TrainingConfig
from latentlab.training.parallel import Rows


class FakeSampler:
    """Draws from a generator in training; every draw moves its mean of w.

    Of several processes, each returns its rows of the ``count`` that all draw alike.
    """

    def __init__(
        self, generator: Generator, config: TrainingConfig, dataset: Dataset, device: torch.device
    ) -> None:
        self._generator, self._config = generator, config
        self._dataset, self._device = dataset, device

    def images(
        self, count: int, rng: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return images [N,C,R,R] and their labels [N,c_dim]: given, or the data's."""
        rows = Rows(count)
        if not self._generator.has_w:  # nothing to mix
            labels = self._labels(rows, rng) if labels is None else labels
            return self._generator(self._draw_z(rows, rng), labels, rng=rng), labels
        ws, labels = self.ws(count, rng, labels)
        return self.synthesise(ws, rows, rng), labels

    def synthesise(self, ws: Tensor, rows: Rows, rng: torch.Generator) -> Tensor:
        """Return the images [N,C,R,R] of ws [N,num_ws,w_dim], with random noise."""
        synthesis = self._generator.synthesis
        options: dict[str, Any] = {"generator": rng, "device": ws.device, "dtype": ws.dtype}
        noise = [
            rows.of(torch.randn([rows.count, *shape[1:]], **options))
            for shape in synthesis.noise_shapes
        ]
        return synthesis(ws, noise=noise)  # type: ignore[no-any-return]

    def ws(
        self, count: int, rng: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return ws [N,num_ws,w_dim] of random z with style mixing, and their labels.

        All images change styles at the same one of the layers grown so far.
        """
        rows = Rows(count)
        labels = self._labels(rows, rng) if labels is None else labels
        mapping, config = self._generator.mapping, self._config
        ws: Tensor = mapping(self._draw_z(rows, rng), labels)
        w_mean = rows.mean(ws[:, 0].detach())
        mapping.w_avg.copy_(w_mean.lerp(mapping.w_avg, config.w_mean_decay))
        coin = torch.rand([], generator=rng, device=self._device).item()
        layers = self._layers()
        if coin < config.mixing_probability and layers > 1:
            cut = int(torch.randint(1, layers, [], generator=rng, device=self._device).item())
            other = mapping(self._draw_z(rows, rng), labels)
            ws = torch.cat([ws[:, :cut], other[:, cut:]], dim=1)
        return ws, labels

    def _layers(self) -> int:
        """Number of w vectors that count, two for each resolution grown to."""
        synthesis = self._generator.synthesis
        waiting = int(synthesis.lod.item()) if synthesis.growing else 0
        return self._generator.num_ws - 2 * waiting

    def _draw_z(self, rows: Rows, rng: torch.Generator) -> Tensor:
        shape = [rows.count, self._generator.z_dim]
        return rows.of(torch.randn(shape, generator=rng, device=self._device))

    def _labels(self, rows: Rows, rng: torch.Generator) -> Tensor:
        if self._dataset.c_dim == 0:
            return rows.of(torch.zeros([rows.count, 0], device=self._device))
        index = torch.randint(len(self._dataset), [rows.count], generator=rng, device=self._device)
        labels = [self._dataset.label(int(i)) for i in rows.of(index)]
        return torch.stack(labels).to(self._device)


class RealSampler:
    """Real images by position in an endless sequence, shuffled anew for every pass.

    The image at a position depends on (seed, position) alone, so a run can continue anywhere.
    """

    def __init__(self, dataset: Dataset, seed: int, mirror: bool) -> None:
        self._dataset, self._seed, self._mirror = dataset, seed, mirror
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def batch(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        """Return images [N,C,R,R] and labels [N,c_dim] from position ``start`` on.

        N is ``count``, or this process's share of it.
        """
        places = distributed.share(range(start, start + count))
        indices = [self._index(place) for place in places]
        labels = torch.stack([self._dataset.label(index) for index in indices])
        pairs = zip(places, (self._dataset.image(index) for index in indices), strict=True)
        pictures = [image.flip(-1) if self._flips(place) else image for place, image in pairs]
        return torch.stack(pictures), labels

    def _index(self, place: int) -> int:
        epoch, offset = divmod(place, len(self._dataset))
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([self._seed, Stream.SHUFFLE, epoch])
            self._order = epoch, rng.permutation(len(self._dataset))
        return int(self._order[1][offset])

    def _flips(self, place: int) -> bool:
        rng = np.random.default_rng([self._seed, Stream.MIRROR, place])
        return self._mirror and bool(rng.integers(2))
