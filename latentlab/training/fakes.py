"""Generated images as training draws them: random labels, latents, mixed styles, random noise."""

import torch
from torch import Tensor

from latentlab.networks.generator import Generator
from latentlab.networks.stylegan1_config import ProGANConfig
from latentlab.training.config import TrainingConfig
from latentlab.training.data import Dataset


class FakeSampler:
    """Draws from a generator in training; every draw moves its mean of w."""

    def __init__(
        self, generator: Generator, config: TrainingConfig, dataset: Dataset, device: torch.device
    ) -> None:
        self._generator, self._config = generator, config
        self._dataset, self._device = dataset, device

    def images(
        self, count: int, rng: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return images [count,C,R,R] and their labels [count,c_dim]: given, or the data's."""
        if isinstance(self._generator.config, ProGANConfig):  # no W, so nothing to mix
            labels = self._labels(count, rng) if labels is None else labels
            return self._generator(self._draw_z(count, rng), labels, rng=rng), labels
        ws, labels = self.ws(count, rng, labels)
        return self._generator.synthesis(ws, "random", rng=rng), labels

    def ws(
        self, count: int, rng: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return ws [count,num_ws,w_dim] of random z with style mixing, and their labels.

        The styles of all images are cut at the same one of the layers grown so far.
        """
        labels = self._labels(count, rng) if labels is None else labels
        mapping, config = self._generator.mapping, self._config
        ws: Tensor = mapping(self._draw_z(count, rng), labels)
        mapping.w_avg.copy_(ws[:, 0].detach().mean(dim=0).lerp(mapping.w_avg, config.w_mean_decay))
        coin = torch.rand([], generator=rng, device=self._device).item()
        layers = self._layers()
        if coin < config.mixing_probability and layers > 1:
            cut = int(torch.randint(1, layers, [], generator=rng, device=self._device).item())
            other = mapping(self._draw_z(count, rng), labels)
            ws = torch.cat([ws[:, :cut], other[:, cut:]], dim=1)
        return ws, labels

    def _layers(self) -> int:
        """Number of w vectors that count, two a resolution grown to."""
        synthesis = self._generator.synthesis
        waiting = int(synthesis.lod.item()) if synthesis.growing else 0
        return self._generator.num_ws - 2 * waiting

    def _draw_z(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn([count, self._generator.z_dim], generator=rng, device=self._device)

    def _labels(self, count: int, rng: torch.Generator) -> Tensor:
        if self._dataset.c_dim == 0:
            return torch.zeros([count, 0], device=self._device)
        index = torch.randint(len(self._dataset), [count], generator=rng, device=self._device)
        return torch.stack([self._dataset.label(int(i)) for i in index]).to(self._device)
