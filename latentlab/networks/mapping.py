"""The mapping network: z and labels to the intermediate latent space W."""

import itertools

import torch
from torch import Tensor, nn

from latentlab.checks import check, needed
from latentlab.errors import LatentError
from latentlab.networks import checks, ops
from latentlab.networks.config import MappingConfig
from latentlab.networks.layers import Linear
from latentlab.networks.stylegan_xl_config import StyleGANXLConfig


class MappingNetwork(nn.Module):
    """Fully connected network from Z (and labels) to W (section 2, Karras et al. 2019).

    With ``num_ws`` None it returns w [N,w_dim] alone, as the conditional discriminator needs it.
    """

    w_avg: Tensor
    blends_labels = True  # whether labels that are not one-hot mean something

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
        w_dim = config.w_dim
        hidden = [config.layer_features or w_dim] * (config.mapping_layers - 1)
        widths = [config.z_dim + self._add_labels(), *hidden, w_dim]
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
            self.register_buffer("w_avg", torch.zeros(self._centres()))

    @property
    def w_mean(self) -> Tensor:
        """Running mean of w from training [w_dim]; of one centre for each class, their mean."""
        return self.w_avg if self.w_avg.ndim == 1 else self.w_avg.mean(dim=0)

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
            truncation_psi: w is moved to ``w_avg + psi * (w - w_avg)``; 1 leaves it alone. Where
                every class has a centre of its own, that of the label is taken.
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
            truncated = self._centre(c).lerp(head, truncation_psi)
            ws = torch.cat([truncated, ws[:, head.shape[1] :]], dim=1)
        return ws

    def _add_labels(self) -> int:
        """Make what labels enter by, and return how many features it gives."""
        config, c_dim = self.config, self.c_dim
        if c_dim == 0:
            return 0
        if config.label_input == "concat":
            self.label_weight = nn.Parameter(torch.randn(c_dim, config.z_dim))
            return config.z_dim
        features = config.embed_features or config.w_dim
        self.embed: nn.Module = Linear(c_dim, features)
        return features

    def _centres(self) -> list[int]:
        """Return the shape of ``w_avg``."""
        return [self.config.w_dim]

    def _centre(self, c: Tensor | None) -> Tensor:
        """Return the centre of truncation, which broadcasts to ws [N,num_ws,w_dim]."""
        return self.w_avg

    def _label_features(self, c: Tensor) -> Tensor:
        """Map labels [N,c_dim] to features, not normalised."""
        if self.config.label_input == "concat":
            return c @ self.label_weight
        return self.embed(c)  # type: ignore[no-any-return]

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
            parts.append(self._label_features(labels))
        if concat:
            parts = [torch.cat(parts, dim=1)]
        if self.config.normalize_latents:
            parts = [ops.normalize_2nd_moment(part) for part in parts]
        return torch.cat(parts, dim=1)

    def _checked(self, x: Tensor | None, width: int, name: str) -> Tensor:
        x = needed(x, [None, width], name)
        weight = next(itertools.chain(self.parameters(), self.buffers()))
        return x.to(weight.dtype)


class ClassTable(nn.Module):
    """A row of learnt features for each class."""

    def __init__(self, rows: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, features))

    def forward(self, c: Tensor) -> Tensor:
        """Return the rows [N,features] of one-hot labels c [N,c_dim]."""
        return self.weight[class_numbers(c)]


class ClassMapping(MappingNetwork):
    """StyleGAN-XL's mapping network (section 3, Sauer et al. 2022).

    Features of the class, from a network that was trained to tell classes apart, are projected to
    as many as z has. Each class has its own centre of truncation.
    """

    embed_proj: Linear
    config: StyleGANXLConfig
    blends_labels = False

    def _add_labels(self) -> int:
        table = self.config.label_table
        if table is None:
            return 0
        self.embed = ClassTable(*table)
        self.embed_proj = Linear(table[1], self.config.z_dim, activate=True)
        return self.config.z_dim

    def _centres(self) -> list[int]:
        own = [self.config.w_dim]
        return own if self.config.label_table is None else [self.c_dim, *own]

    def _centre(self, c: Tensor | None) -> Tensor:
        if c is None or self.w_avg.ndim == 1:
            return self.w_avg
        return self.w_avg[class_numbers(c)][:, None]  # [N,1,w_dim]

    def _label_features(self, c: Tensor) -> Tensor:
        return self.embed_proj(self.embed(c))  # type: ignore[no-any-return]


def class_numbers(c: Tensor) -> Tensor:
    """Return the numbers [N] of one-hot labels c [N,c_dim].

    Raises:
        LatentError: If a label is not one-hot: a table of classes has nothing between its rows.
    """
    numbers = c.argmax(dim=1)
    if not torch.equal(c, nn.functional.one_hot(numbers, c.shape[1]).to(c)):
        raise LatentError(
            "labels must be one-hot for this generator: it looks its classes up in a table, and "
            "has nothing between them"
        )
    return numbers
