"""The mapping network: z and labels to the intermediate latent space W."""

import itertools

import torch
from torch import Tensor, nn

from latentlab.checks import check, needed
from latentlab.errors import LatentError
from latentlab.networks import checks, ops
from latentlab.networks.config import MappingConfig
from latentlab.networks.layers import Linear


class MappingNetwork(nn.Module):
    """Fully connected network from Z (and labels) to W (section 2, Karras et al. 2019).

    With ``num_ws`` None it returns w [N,w_dim] alone, as the conditional discriminator needs it.
    """

    w_avg: Tensor

    def __init__(
        self,
        config: MappingConfig,
        c_dim: int,
        num_ws: int | None,
        gain_in_weight: bool = False,  # of the layers, see Linear
        negative_slope: float = ops.LEAKY_SLOPE,
    ) -> None:
        super().__init__()
        self.config, self.c_dim, self.num_ws = config, c_dim, num_ws
        w_dim, embed = config.w_dim, 0
        if c_dim > 0 and config.label_input == "concat":
            embed = config.z_dim
            self.label_weight = nn.Parameter(torch.randn(c_dim, embed))
        elif c_dim > 0:
            embed = config.embed_features or w_dim
            self.embed = Linear(c_dim, embed)
        hidden = [config.layer_features or w_dim] * (config.mapping_layers - 1)
        widths = [config.z_dim + embed, *hidden, w_dim]
        fits = config.mapping_layers > 0 or widths[0] == w_dim
        checks.check(fits, "w_dim", f"{widths[0]} in a mapping without layers", w_dim)
        for i in range(config.mapping_layers):
            layer = Linear(
                widths[i],
                widths[i + 1],
                activate=True,
                lr_multiplier=config.mapping_lr_multiplier,
                gain_in_weight=gain_in_weight,
                negative_slope=negative_slope,
            )
            self.add_module(f"fc{i}", layer)
        if num_ws is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Map z [N,z_dim] and labels c [N,c_dim] to ws [N,num_ws,w_dim].

        Args:
            z: Latents, standard normal.
            c: Labels (one-hot or real vectors); None where the network has none.
            truncation_psi: w is moved to ``w_avg + psi * (w - w_avg)``; 1 leaves it alone.
            truncation_cutoff: Only the first that many layers are truncated; None means all.

        Raises:
            LatentError: If a shape does not fit.
        """
        w = self._normalised_input(z, c)
        for i in range(self.config.mapping_layers):
            w = self.get_submodule(f"fc{i}")(w)
        if self.num_ws is None:
            return w
        ws = w.unsqueeze(1).repeat(1, self.num_ws, 1)  # [N,num_ws,w_dim]
        cutoff_fits = truncation_cutoff is None or truncation_cutoff >= 0
        check(cutoff_fits, "truncation_cutoff", "0 or more", truncation_cutoff)
        if truncation_psi != 1.0:
            head = ws[:, :truncation_cutoff]
            ws = torch.cat([self.w_avg.lerp(head, truncation_psi), ws[:, head.shape[1] :]], dim=1)
        return ws

    def _normalised_input(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """Return z and the label side by side; "concat" normalises both together, "embed" each."""
        z_dim, concat = self.config.z_dim, self.config.label_input == "concat"
        parts = [self._checked(z, z_dim, "z")] if z_dim > 0 else []
        if self.c_dim > 0:
            labels = self._checked(c, self.c_dim, "c")
            if parts and len(labels) != len(parts[0]):
                raise LatentError(
                    f"`c` must have a row for each of {len(parts[0])} z, but has {len(labels)}"
                )
            parts.append(labels @ self.label_weight if concat else self.embed(labels))
        if concat:
            parts = [torch.cat(parts, dim=1)]
        if self.config.normalize_latents:
            parts = [ops.normalize_2nd_moment(part) for part in parts]
        return torch.cat(parts, dim=1)

    def _checked(self, x: Tensor | None, width: int, name: str) -> Tensor:
        x = needed(x, [None, width], name)
        weight = next(itertools.chain(self.parameters(), self.buffers()))
        return x.to(weight.dtype)
