"""Writing a checkpoint in other people's formats, and proving it by opening what was written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import nn

from latentlab.checkpoints.assemble import assemble
from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.checkpoints.targets import nvidia, rosinality1, rosinality2, yuuho
from latentlab.checkpoints.targets.plain_files import write_state_safetensors, write_torch
from latentlab.checkpoints.targets.written import Writer, Written, family, generators_and_d
from latentlab.errors import SettingsError, UnsupportedCheckpoint, shown
from latentlab.files import atomic_write
from latentlab.latents import labels_in_turn, z_from_seeds
from latentlab.networks.discriminators import Discriminator
from latentlab.networks.fastgan_config import FastGANConfig
from latentlab.networks.generator import Generator, ImageGenerator
from latentlab.networks.lucidrains import LucidrainsConfig
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.stylegan3_config import StyleGAN3Config
from latentlab.networks.stylegan_xl_config import StyleGANXLConfig

NATIVE = "safetensors"
TARGETS = ("rosinality", "yuuho", NATIVE, "nvidia-state")

# What each target has, by the config of the generator, or of the discriminator where it is alone.
_WRITERS: Mapping[str, Mapping[type[Any], Writer]] = {
    "rosinality": {
        StyleGAN2Config: rosinality2.write,
        StyleGAN1Config: rosinality1.write,
    },
    "yuuho": {StyleGAN2Config: yuuho.write, StyleGAN1Config: yuuho.write},
    "nvidia-state": {
        StyleGAN2Config: nvidia.write,
        StyleGAN2DiscriminatorConfig: nvidia.write,
        StyleGAN3Config: nvidia.write,
    },
}
_FAMILIES: Mapping[type[Any], str] = {
    StyleGAN1Config: "StyleGAN1",
    StyleGAN1DiscriminatorConfig: "StyleGAN1",
    ProGANConfig: "Progressive GAN",
    StyleGAN2Config: "StyleGAN2",
    StyleGAN2DiscriminatorConfig: "StyleGAN2",
    StyleGAN3Config: "StyleGAN3",
    StyleGANXLConfig: "StyleGAN-XL",
    FastGANConfig: "FastGAN",
    LucidrainsConfig: "the StyleGAN2 of lucidrains",
}
_SUFFIX = ".safetensors"
_NO_PICKLE = "The file is one of torch.save and no pickle, in spite of its name."
_SEEDS = (0, 1)  # of the images that are compared; of large ones, the first
_LARGE = 512  # px
_LIMIT = 1e-5  # of the largest value: float32 rounding through some twenty layers, told by no eye


@dataclass(frozen=True)
class Exported:
    """What ``export`` has written.

    Attributes:
        path: The file.
        to: Whose form it has, one of ``TARGETS``.
        networks: Our names of the networks in it, and those that the file has for them.
        notes: What is left out, and what the other code computes or sets differently, in sentences.
        opening: How the other code opens the file.
        difference: The largest difference between values of the images, nominally in [-1,1], of the
            generators and of those that the file opens as; None if there is no generator.
    """

    path: Path
    to: str
    networks: Mapping[str, str]
    notes: tuple[str, ...]
    opening: str
    difference: float | None


def target_of(path: Path, to: str | None) -> str:
    """Return what is to be written: what is asked for, or what the name of the file says.

    Raises:
        SettingsError: If the name says nothing, or says otherwise.
    """
    is_native = path.suffix.lower() == _SUFFIX
    if to is None and is_native:
        return NATIVE
    if to is None:
        raise SettingsError(
            f"{path}: a name ending in {path.suffix or 'nothing'} does not say what to write; "
            f"`to` must be one of {', '.join(TARGETS)}"
        )
    if to not in TARGETS:
        raise SettingsError(f"`to` must be one of {', '.join(TARGETS)}, but got {shown([to])}")
    if to == NATIVE and not is_native:
        raise SettingsError(f"{path}: `to` {NATIVE} writes a file whose name ends in {_SUFFIX}")
    if is_native and to not in (NATIVE, "nvidia-state"):
        raise SettingsError(
            f"{path}: `to` {to} writes a file of torch.save, which is called .pt, .pth or .model"
        )
    return to


def written_for(
    networks: Mapping[str, nn.Module], to: str, where: str, approximate: bool
) -> Written:
    """Make the content of a file for another code base.

    Raises:
        UnsupportedCheckpoint: If it has no such networks, or computes something else.
    """
    found = generators_and_d(networks, where)
    kind = family(found)
    if to != "nvidia-state" and "G" not in found and "G_ema" not in found:
        raise UnsupportedCheckpoint(
            f"{where}: holds no generator, which a file of {to} begins with"
        )
    if kind not in _WRITERS[to]:
        known = [words for each, words in _FAMILIES.items() if each in _WRITERS[to]]
        held = _FAMILIES.get(kind, "another kind of network")
        raise UnsupportedCheckpoint(
            f"{where}: holds {held}; {to} is a form of {' and '.join(dict.fromkeys(known))}"
        )
    return _WRITERS[to][kind](found, where, approximate)


def export_to(
    networks: Mapping[str, nn.Module],
    path: Path,
    to: str,
    where: str,
    approximate: bool,
    facts: Mapping[str, Any],
    open_file: Callable[[Path], Checkpoint],
) -> Exported:
    """Write networks for another code base, and compare those that the file opens as.

    Args:
        networks: Networks of ours by name.
        path: The file, written whole or not at all.
        to: One of ``TARGETS``, but for our own.
        where: What they are from, for messages.
        approximate: Accept what the other code computes nearly the same.
        facts: What is known of the checkpoint, where the form has a place for that.
        open_file: Opens a checkpoint.

    Raises:
        UnsupportedCheckpoint: If the other code has no such networks, or would make other images.
        OutputError: If the file cannot be written.
    """
    written = written_for(networks, to, where, approximate)
    known = () if path.suffix.lower() != ".pkl" else (_NO_PICKLE,)
    if to == "nvidia-state":
        written.content["metadata"] = json.dumps(dict(facts))
    write = write_state_safetensors if path.suffix.lower() == _SUFFIX else write_torch
    with torch.inference_mode(), atomic_write(path) as temporary:
        write(written.content, temporary)
        opened = open_file(temporary)
        pairs = {name: (_on_cpu(networks[name], name), _counterpart(opened, name))
                 for name in written.networks}  # fmt: skip
        difference, notes = _compared(pairs, written, where, approximate)
    return Exported(
        path,
        to,
        MappingProxyType(dict(written.networks)),
        (*known, *written.notes, *notes),
        written.opening.replace("{path}", str(path)),
        difference,
    )


def _counterpart(opened: Checkpoint, name: str) -> nn.Module:
    """Return the network that one was written as; a file of one generator has no name for it."""
    found = opened.networks.get(name)
    return opened.generator if found is None else found


def _on_cpu(network: nn.Module, name: str) -> nn.Module:
    weights = {key: tensor.cpu().float() for key, tensor in network.state_dict().items()}
    return assemble(network.config, weights, name, allow_nonfinite=True, taken=set())


def _compared(
    pairs: Mapping[str, tuple[nn.Module, nn.Module]],
    written: Written,
    where: str,
    approximate: bool,
) -> tuple[float | None, list[str]]:
    """Return the largest difference between images, and notes on it.

    Raises:
        UnsupportedCheckpoint: If images or scores differ by more than rounding, unless that was
            accepted.
    """
    largest, notes = None, []
    for name, (ours, theirs) in pairs.items():
        if isinstance(ours, ImageGenerator):
            mode = "const" if written.keeps_noise else "none"
            first, second = (_images(g, mode) for g in (ours, cast(ImageGenerator, theirs)))
        else:
            first, second = (_scores(d) for d in (ours, theirs))
        same_shape = first.shape == second.shape
        apart = float((first - second).abs().max()) if same_shape else float("inf")
        limit = _LIMIT * max(1.0, float(first.abs().max()))
        limited = _loses_limit(ours, theirs)
        if not apart <= limit and not (approximate and same_shape):
            raise _too_far_apart(f"{where}: {name}", limited, apart)
        if limited:
            notes.append(f"{name}: its limit of activations (conv_clamp {limited:g}) is left out.")
        if isinstance(ours, ImageGenerator):
            largest = max(apart, largest or 0.0)
    return largest, notes


def _loses_limit(ours: Any, theirs: Any) -> float | None:
    limit: float | None = getattr(ours.config, "conv_clamp", None)
    return limit if getattr(theirs.config, "conv_clamp", None) is None else None


def _too_far_apart(where: str, limit: float | None, apart: float) -> UnsupportedCheckpoint:
    if limit is not None:
        return UnsupportedCheckpoint(
            f"{where}: activations reach its limit (conv_clamp {limit:g}), which the other code "
            f"does not have: values would differ by {apart:.2g}",
            advice=["give `approximate` to write it all the same"],
        )
    return UnsupportedCheckpoint(
        f"{where}: what was written opens as another network, whose values differ by {apart:.2g}; "
        "nothing is kept of it"
    )


def _images(g: ImageGenerator, noise_mode: Any) -> torch.Tensor:
    """Render images [N,C,R,R] of fixed seeds and classes."""
    seeds = _SEEDS[:1] if g.resolution >= _LARGE else _SEEDS
    c = labels_in_turn(cast(Generator, g), range(len(seeds)))
    return cast(torch.Tensor, g(z_from_seeds(seeds, g.z_dim), c, noise_mode=noise_mode))


def _scores(network: nn.Module) -> torch.Tensor:
    """Score fixed noise as images of every class in turn, for scores need not look natural."""
    d = cast(Discriminator, network)
    size, count = d.config.resolution, len(_SEEDS)
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(count, d.config.channels, size, size, generator=rng)
    c = torch.eye(max(d.config.c_dim, count))[:count, : d.config.c_dim]
    return cast(torch.Tensor, d(images, c if d.config.c_dim else None))
