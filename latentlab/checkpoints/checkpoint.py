"""What an opened checkpoint is: networks, how they were described, and where they came from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from latentlab.errors import CheckpointError, shown
from latentlab.models import is_builtin
from latentlab.networks.discriminators import Discriminator
from latentlab.networks.generator import Generator

_SNAPSHOT_NAME = re.compile(r"network-(?:snapshot|final)-(\d{6})")
_SHA256 = re.compile("[0-9a-f]{64}")
_NVIDIA = "NVIDIA's own models of this kind are for non-commercial use only"
_CONVERTED = "what was converted from NVIDIA's models keeps their licence, non-commercial use only"

# kind -> (what it is and whose files these are, what is known of the licence).
_KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "stylegan2-ada": ("StyleGAN2 of stylegan2-ada-pytorch", _NVIDIA),
        "stylegan2-tf": ("StyleGAN2 of NVIDIA's TensorFlow releases", _NVIDIA),
        "stylegan1-tf": ("StyleGAN1 of NVIDIA's TensorFlow release", _NVIDIA),
        "progan-tf": ("Progressive GAN of NVIDIA's TensorFlow release", _NVIDIA),
        "classifier-tf": ("attribute classifier of NVIDIA's StyleGAN1 release", _NVIDIA),
        "stylegan2-rosinality": ("StyleGAN2 of rosinality/stylegan2-pytorch", _CONVERTED),
        "stylegan1-rosinality": ("StyleGAN1 of rosinality/style-based-gan-pytorch", _CONVERTED),
        "stylegan2-lucidrains": ("StyleGAN2 of lucidrains/stylegan2-pytorch", ""),
        "stylegan2-yuuho": ("StyleGAN2 of yuuho/stylegans-pytorch", _CONVERTED),
        "stylegan1-yuuho": ("StyleGAN1 of yuuho/stylegans-pytorch", _CONVERTED),
        "stylegan2-genforce": ("StyleGAN2 of genforce/genforce", _CONVERTED),
        "stylegan1-genforce": ("StyleGAN1 of genforce/genforce", _CONVERTED),
        "progan-genforce": ("Progressive GAN of genforce/genforce", _CONVERTED),
        "stylegan1-huangzh13": ("StyleGAN1 of huangzh13/StyleGAN.pytorch", _CONVERTED),
        "stylegan2-mmgeneration": ("StyleGAN2 of MMGeneration or MMagic", _CONVERTED),
        "stylegan3-t-nvidia": ("StyleGAN3-T of NVIDIA's release", _NVIDIA),
        "stylegan3-r-nvidia": ("StyleGAN3-R of NVIDIA's release", _NVIDIA),
        "stylegan-xl": ("StyleGAN-XL of autonomousvision/stylegan-xl", ""),
        "fastgan-projected-gan": ("FastGAN of autonomousvision/projected-gan", ""),
        "fastgan-native": ("FastGAN in latentlab's own format", ""),
        "stylegan-xl-native": ("StyleGAN-XL in latentlab's own format", ""),
        "stylegan3-native": ("StyleGAN3 in latentlab's own format", ""),
        "stylegan2-native": ("StyleGAN2 in latentlab's own format", ""),
        "stylegan1-native": ("StyleGAN1 in latentlab's own format", ""),
        "lucidrains-native": ("lucidrains' StyleGAN2 in latentlab's own format", ""),
        "progan-native": ("Progressive GAN in latentlab's own format", ""),
        "classifier": ("classifier in latentlab's own format", ""),
    }
)


@dataclass(frozen=True)
class Checkpoint:
    """An opened weights file; networks are in eval mode, float32, on the CPU, without gradients.

    Attributes:
        kind: Architecture and origin, such as "stylegan2-ada" or "stylegan2-native".
        sha256: Hex digest of the file.
        path: The file.
        networks: Every network by its name in the field: "G_ema", "G", "D", "classifier".
        metadata: What else the file says about itself (source, licence, training), as plain data.
        stored_as: Types of the floats in the file, such as "float16"; () where not known.
    """

    kind: str
    sha256: str
    path: Path
    networks: Mapping[str, nn.Module]
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    stored_as: tuple[str, ...] = ()

    @classmethod
    def of_file(
        cls,
        path: Path,
        kind: str,
        networks: Mapping[str, nn.Module],
        metadata: Mapping[str, Any],
        stored_as: tuple[str, ...] = (),
    ) -> "Checkpoint":
        """Describe what was read from a file; whoever has it open adds its SHA-256."""
        held, facts = MappingProxyType(dict(networks)), MappingProxyType(dict(metadata))
        return cls(kind, "", path, held, facts, stored_as)

    @property
    def converted_from(self) -> str | None:
        """SHA-256 of the file that this one was converted from, as it says; None if of none.

        Latents of either are latents of both.
        """
        source = self.metadata.get("source")
        digest = source.get("sha256") if isinstance(source, dict) else None
        return digest if isinstance(digest, str) and _SHA256.fullmatch(digest) else None

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes of a conditional generator are called, as the file says; () if not."""
        names = self.metadata.get("class_names")
        c_dim = getattr(self.config, "c_dim", 0)
        fits = isinstance(names, list) and len(names) == c_dim == len(set(map(str, names)))
        return tuple(map(str, names)) if fits and isinstance(names, list) else ()

    @property
    def config(self) -> Any:
        """The frozen description of the generator, or of the only network if there is none."""
        by_rank = sorted(self.networks, key=lambda name: name not in ("G_ema", "G"))
        return self.networks[by_rank[0]].config

    @property
    def images_shown(self) -> int | None:
        """Real images shown in training before it was written, as its metadata or name says.

        None if neither does. StyleGAN's training scripts name snapshots by thousands.
        """
        training = self.metadata.get("training")
        images = training.get("images") if isinstance(training, dict) else None
        if type(images) is int:
            return images
        named = _SNAPSHOT_NAME.search(self.path.name)
        return int(named[1]) * 1000 if named else None

    @property
    def truncation_cutoff(self) -> int | None:
        """How many layers its own system truncates unless told otherwise; None: all of them.

        It is the ``truncation_cutoff`` of a generator's call, and the command line's default.
        """
        truncation = self.metadata.get("truncation")
        cutoff = truncation.get("cutoff") if isinstance(truncation, Mapping) else None
        return cutoff if type(cutoff) is int and cutoff >= 0 else None

    @property
    def generator(self) -> Generator:
        """The averaged (EMA) generator; the raw one where the file has no other.

        Raises:
            CheckpointError: If the file holds no generator.
        """
        for name in ("G_ema", "G"):
            network = self.networks.get(name)
            if isinstance(network, Generator):
                return network
        raise self._without("generator")

    @property
    def raw_generator(self) -> Generator | None:
        """The generator as last trained, without averaging, or None."""
        network = self.networks.get("G")
        return network if isinstance(network, Generator) else None

    @property
    def discriminator(self) -> Discriminator | None:
        """The discriminator, or None."""
        network = self.networks.get("D")
        return network if isinstance(network, Discriminator) else None

    @property
    def classifier(self) -> nn.Module:
        """The classifier: images [N,C,R,R] in [-1,1] to logits [N,K].

        Raises:
            CheckpointError: If the file holds none.
        """
        if "classifier" not in self.networks:
            raise self._without("classifier")
        return self.networks["classifier"]

    def _without(self, network: str) -> CheckpointError:
        held = shown(list(self.networks)) or "nothing"
        return CheckpointError(f"{self.path}: no {network} inside, only {held}")


def kind_in_words(kind: str) -> str:
    """Say what kind of checkpoint it is, for a person."""
    return _KINDS.get(kind, (kind, ""))[0]


def licence_note(checkpoint: Checkpoint) -> str | None:
    """Return what can be said of the licence of a checkpoint's weights.

    The note that the file carries itself comes first. Weights of other projects belong to whoever
    trained or published them; latentlab's own files say nothing unless their author did.
    """
    carried = checkpoint.metadata.get("licence")
    if isinstance(carried, str):
        return carried
    if is_builtin(checkpoint.path):
        return "MIT"
    if checkpoint.kind == "classifier" or checkpoint.kind.endswith("-native"):
        return None
    _, known = _KINDS.get(checkpoint.kind, ("", ""))
    return (
        f"The weights come from {checkpoint.path.name} and remain under the licence of whoever "
        f"trained or published them{'; ' if known else ''}{known}."
    )
