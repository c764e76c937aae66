"""NVIDIA's PyTorch releases (stylegan2-ada-pytorch, stylegan3): snapshots and arguments.

The arguments of StyleGAN2's networks, which both releases write, are here; those of StyleGAN3's
generator are in nvidia_stylegan3. State dict names are the same as ours, so weights need no table.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from latentlab.checkpoints.assemble import Contents, assemble, config_from_dict
from latentlab.checkpoints.pickles.plain import plain_copy
from latentlab.checkpoints.pickles.reader import Record
from latentlab.checkpoints.systems.arguments import (
    Names,
    arguments_back,
    no_matter,
    same,
    translate_arguments,
)
from latentlab.checkpoints.systems.nvidia_stylegan3 import STYLEGAN3_MARK, stylegan3_config
from latentlab.checkpoints.systems.torch_modules import state_dict_of
from latentlab.checkpoints.systems.translation import (
    LABEL_RATE,
    names_shortened,
)
from latentlab.errors import UnsupportedCheckpoint, quoted
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.stylegan3_config import StyleGAN3Config

_SHARED: Names = {"img_resolution": "resolution", "img_channels": "channels", **same("c_dim")}
_GENERATOR: Names = {**_SHARED, **same("z_dim", "w_dim")}
_GENERATOR_MAPPING: Names = {
    "num_layers": "mapping_layers",
    "lr_multiplier": "mapping_lr_multiplier",
    **same("embed_features", "layer_features"),
    **no_matter("w_avg_beta"),
}
_SYNTHESIS: Names = {
    **same("channel_base", "channel_max", "architecture", "resample_filter", "conv_clamp"),
    **same("use_noise"),
    **no_matter("num_fp16_res", "fp16_channels_last"),
}
# The StyleGAN3 release passes StyleGAN2 these arguments beside the others, not nested.
_FLAT: Names = {**_SYNTHESIS, **no_matter("fused_modconv_default")}
_FLAT_CLAMP = 256  # its default in that release; there is none in the other
_DISCRIMINATOR: Names = {
    **_SHARED,
    **same("architecture", "channel_base", "channel_max", "conv_clamp", "cmap_dim"),
    **no_matter("num_fp16_res"),
}
_DISCRIMINATOR_GROUPS: Mapping[str, Names] = {
    "block_kwargs": {**same("resample_filter"), **no_matter("fp16_channels_last", "freeze_layers")},
    "mapping_kwargs": {
        "num_layers": "mapping_layers",
        # The widths are that of its output, see _check_label_mapping.
        **no_matter("embed_features", "layer_features", "lr_multiplier", "w_avg_beta"),
    },
    "epilogue_kwargs": same("mbstd_group_size", "mbstd_num_channels"),
}

# Arguments by position, where a caller left out their names.
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "Generator": (
        "z_dim", "c_dim", "w_dim", "img_resolution", "img_channels",
        "mapping_kwargs", "synthesis_kwargs",
    ),
    "Discriminator": (
        "c_dim", "img_resolution", "img_channels", "architecture", "channel_base", "channel_max",
        "num_fp16_res", "conv_clamp", "cmap_dim",
        "block_kwargs", "mapping_kwargs", "epilogue_kwargs",
    ),
}  # fmt: skip
_NETWORKS = {"G_ema": "Generator", "G": "Generator", "D": "Discriminator"}
ROLES = {name: name for name in _NETWORKS}


def read_snapshot(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the networks of a training snapshot, as ``foreign.Reader`` says.

    The snapshot holds Records under "G_ema", "G" and "D". Metadata are the settings of the training
    set, "notes", and under "ignored" what else there is.
    """
    kwargs: dict[str, Any] = {}
    tensors: dict[str, dict[str, Tensor]] = {}
    for name, class_name in _NETWORKS.items():
        if (record := found.get(name)) is None:
            continue
        kwargs[name] = _arguments(record, class_name, f"{where}: {name}")
        tensors[name] = state_dict_of(record, f"{where}: {name}")
        if name == "D":
            kwargs[name], tensors[name] = _with_label_rate(kwargs[name], tensors[name])
    keys = [f"{name}.{key}" for name, own in tensors.items() for key in own]
    notes: list[str] = []
    taken: set[int] = set()
    networks = {
        name: assemble(config, tensors[name], f"{where}: {name}", allow_nonfinite, taken)
        for name, config in networks_from_official(kwargs, keys, where, notes).items()
    }
    facts = snapshot_facts(found, networks, where)
    return networks, {**facts, "notes": notes}


def snapshot_facts(
    found: Mapping[Any, Any], networks: Collection[str], where: str
) -> dict[str, Any]:
    """Return what a snapshot says besides its networks: metadata, and what is left aside."""
    facts: dict[str, Any] = {}
    rest = [key for key, value in found.items() if key not in networks and value is not None]
    if "training_set_kwargs" in rest:
        with suppress(UnsupportedCheckpoint):  # no reason to refuse the networks
            facts["training_set"] = plain_copy(found["training_set_kwargs"], where)
            rest.remove("training_set_kwargs")
    progress = found.get("progress")  # of Projected GAN and StyleGAN-XL
    images = progress.get("cur_nimg") if type(progress) is dict else None
    if type(images) is Tensor and images.numel() == 1 and not images.is_floating_point():
        facts["training"] = {"images": int(images)}
    return {**facts, "ignored": names_shortened(rest)}


def _arguments(record: object, class_name: str, where: str) -> dict[str, Any]:
    """Return the arguments by name that a network was made with."""
    if type(record) is not Record or record.origin != "torch" or record.state is None:
        raise UnsupportedCheckpoint(f"{where}: expected a network")
    args = plain_copy(record.state.get("_init_args", ()), where)
    kwargs = plain_copy(record.state.get("_init_kwargs", {}), where)
    if not isinstance(kwargs, dict) or not isinstance(args, list | tuple):
        raise UnsupportedCheckpoint(f"{where}: the arguments of the network are not recorded")
    if record.class_name != class_name:
        found = quoted(record.class_name)
        raise UnsupportedCheckpoint(f"{where}: expected the class {class_name}, but got {found}")
    names = _POSITIONS[class_name][: len(args)]
    if len(args) > len(names) or set(names) & set(kwargs):
        raise UnsupportedCheckpoint(f"{where}: an argument too many, or given twice")
    return {**dict(zip(names, args, strict=True)), **kwargs}


def networks_from_official(
    kwargs: Mapping[str, Any],
    tensor_names: Collection[str],
    where: str,
    notes: list[str] | None = None,
) -> dict[str, Any]:
    """Translate the constructor arguments of G, G_ema and D to configs by name.

    Args:
        kwargs: The arguments by network.
        tensor_names: Names of all weights, each with its network's name before it ("G.mapping").
        where: The file, for messages.
        notes: Sentences for a person are appended here.

    Raises:
        UnsupportedCheckpoint: If an argument is unknown or asks for what is not supported.
    """
    described: dict[str, Any] = {}
    said: list[str] = []
    is_later = False
    for name in sorted(kwargs, key=lambda name: name == "D"):  # the generator tells the release
        place, values = f"{where}: {name}", kwargs[name]
        if name not in _NETWORKS or not isinstance(values, dict):
            raise UnsupportedCheckpoint(f"{place}: expected the settings of G, G_ema or D")
        if name == "D":
            values = {"conv_clamp": _FLAT_CLAMP, **values} if is_later else values
            described[name] = discriminator_config(values, place, said)
            continue
        is_third = f"{name}.{STYLEGAN3_MARK}" in tensor_names
        is_later = is_later or is_third or _is_flat(values)
        translate = stylegan3_config if is_third else generator_config
        described[name] = translate(values, place, said)
    if notes is not None:
        notes += dict.fromkeys(said)  # G and G_ema have the same settings
    return described


def official_kind(networks: Mapping[str, nn.Module]) -> str:
    """Name the system that official networks belong to, and the origin."""
    for config in (network.config for network in networks.values()):
        if isinstance(config, StyleGAN3Config):  # of either published form, T or R
            return f"stylegan3-{'r' if config.use_radial_filters else 't'}-nvidia"
    return "stylegan2-ada"


def _is_flat(kwargs: Mapping[str, Any]) -> bool:
    return "synthesis_kwargs" not in kwargs and any(name in kwargs for name in _FLAT)


def generator_config(
    kwargs: Mapping[str, Any], where: str, notes: list[str] | None = None
) -> StyleGAN2Config:
    """Translate the official StyleGAN2 Generator's constructor arguments."""
    top, tables = _GENERATOR, {"mapping_kwargs": _GENERATOR_MAPPING}
    if _is_flat(kwargs):
        top, kwargs = {**_GENERATOR, **_FLAT}, {"conv_clamp": _FLAT_CLAMP, **kwargs}
    else:
        tables["synthesis_kwargs"] = _SYNTHESIS
    values = translate_arguments(kwargs, top, tables, where, notes)
    return config_from_dict(StyleGAN2Config, values, where)


def discriminator_config(
    kwargs: Mapping[str, Any], where: str, notes: list[str] | None = None
) -> StyleGAN2DiscriminatorConfig:
    """Translate the official Discriminator's constructor arguments."""
    if kwargs.get("c_dim", 0) == 0:
        kwargs = _without_labels(kwargs)
    values = translate_arguments(kwargs, _DISCRIMINATOR, _DISCRIMINATOR_GROUPS, where, notes)
    config = config_from_dict(StyleGAN2DiscriminatorConfig, values, where)
    _check_label_mapping(kwargs.get("mapping_kwargs", {}), config, f"{where}: mapping_kwargs")
    return config


def generator_arguments(config: StyleGAN2Config) -> dict[str, Any]:
    """Return the official StyleGAN2 Generator's constructor arguments, for float32.

    They are those of stylegan2-ada-pytorch; the StyleGAN3 release takes ``synthesis_kwargs`` one
    by one.
    """
    groups = {"mapping_kwargs": _GENERATOR_MAPPING, "synthesis_kwargs": _SYNTHESIS}
    arguments = arguments_back(config, _GENERATOR, groups)
    arguments["synthesis_kwargs"]["num_fp16_res"] = 0
    return arguments


def discriminator_arguments(config: StyleGAN2DiscriminatorConfig) -> dict[str, Any]:
    """Return the official StyleGAN2 Discriminator's constructor arguments, for float32."""
    groups = dict(_DISCRIMINATOR_GROUPS)
    if config.c_dim == 0:
        del groups["mapping_kwargs"]
    return {**arguments_back(config, _DISCRIMINATOR, groups), "num_fp16_res": 0}


def _check_label_mapping(
    mapping: Mapping[str, Any], config: StyleGAN2DiscriminatorConfig, where: str
) -> None:
    """Refuse settings that the mapping network of our discriminator does not have."""
    width = config.cmap_dim or config.feature_maps(4)
    for name, known, rule in (
        ("embed_features", (None, width), f"{width}, the width of the mapped label"),
        ("layer_features", (None, width), f"{width}, the width of the mapped label"),
        ("lr_multiplier", (LABEL_RATE,), f"{LABEL_RATE} here"),
    ):
        value = mapping.get(name, known[0])
        if value not in known:
            raise UnsupportedCheckpoint(f"{where}: {name} must be {rule}, but got {quoted(value)}")


def _with_label_rate(
    kwargs: dict[str, Any], tensors: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Fold another ``lr_multiplier`` of the label's mapping into its weights.

    Snapshots converted from TensorFlow have 0.1. What is not a rate is left to be refused.
    """
    mapping = kwargs.get("mapping_kwargs")
    if not isinstance(mapping, dict):
        return kwargs, tensors
    rate: Any = mapping.get("lr_multiplier")
    if type(rate) not in (int, float) or not 1e-6 <= rate <= 1e6 or rate == LABEL_RATE:
        return kwargs, tensors
    factor, folded = rate / LABEL_RATE, dict(tensors)
    for name, tensor in tensors.items():
        if name.startswith("mapping.fc") and tensor.is_floating_point():
            folded[name] = tensor * factor
    return {**kwargs, "mapping_kwargs": {**mapping, "lr_multiplier": LABEL_RATE}}, folded


def _without_labels(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the settings of a mapping network that is not there.

    Snapshots converted from TensorFlow have them nevertheless, with ``num_layers`` 0.
    """
    mapping = kwargs.get("mapping_kwargs")
    if not isinstance(mapping, dict):
        return dict(kwargs)
    unused = {"embed_features", "layer_features", "lr_multiplier", "w_avg_beta"}
    used = {k: v for k, v in mapping.items() if k not in unused and (k, v) != ("num_layers", 0)}
    return {**kwargs, "mapping_kwargs": used}
