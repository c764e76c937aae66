"""The config of a StyleGAN3 generator, read off the names and shapes of its weights."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from latentlab.checkpoints.assemble import config_from_dict
from latentlab.checkpoints.systems.translation import ForeignWeights
from latentlab.errors import UnsupportedCheckpoint
from latentlab.networks.stylegan3_config import StyleGAN3Config

_LAYER = re.compile(r"synthesis\.(L(\d{1,2})_(\d{1,5})_(\d{1,5}))\.weight")
_GEOMETRY = "num_critical, first_cutoff, first_stopband, last_stopband_rel, margin_size"


def generator_config(weights: ForeignWeights, known: Mapping[str, Any]) -> StyleGAN3Config:
    """Return the config whose layers have the names that the file has.

    Args:
        weights: The generator's.
        known: Settings of the mapping network, and those that were assumed.

    Raises:
        UnsupportedCheckpoint: If the layers are not those of the assumed settings.
    """
    names, maps, resolution = _layers(weights)
    first = f"synthesis.{names[0]}"
    radial = any(
        tensor.ndim == 2 for name, tensor in weights.tensors.items() if name.endswith("down_filter")
    )
    described = {
        **known,
        "resolution": resolution,
        "channels": maps[-1],
        "num_layers": len(names) - 1,
        "conv_kernel": weights.shape(f"{first}.weight", 4)[3],
        "use_radial_filters": radial,
        "channel_max": max(maps[:-1]),
        "channel_base": 2**40,
    }
    config = config_from_dict(StyleGAN3Config, described, weights.where)
    described["channel_base"] = _channel_base(maps[:-1], [s.cutoff for s in config.signals()])
    config = config_from_dict(StyleGAN3Config, described, weights.where)
    if [layer.name for layer in config.layers()] != names:
        raise UnsupportedCheckpoint(
            f"{weights.where}: the layers {', '.join(names[:3])}, ... are not those of the assumed "
            f"settings; give those that the network was trained with ({_GEOMETRY}) with `assume`"
        )
    return config


def _layers(weights: ForeignWeights) -> tuple[list[str], list[int], int]:
    """Return the names of the layers, their feature maps, and the image's side."""
    found = sorted(
        (int(match[2]), match[1], int(match[3]), int(match[4]))
        for match in map(_LAYER.fullmatch, weights.tensors)
        if match
    )
    if len(found) < 2 or [entry[0] for entry in found] != list(range(len(found))):
        raise UnsupportedCheckpoint(
            f"{weights.where}: the layers of the synthesis network are not numbered from 0"
        )
    return [entry[1] for entry in found], [entry[3] for entry in found], found[-1][2]


def _channel_base(maps: Sequence[int], cutoffs: Sequence[float]) -> int:
    """Return a ``channel_base`` that gives these feature maps, a power of two if there is one.

    Each layer has round(base / (2 * cutoff)) of them, and at most the largest number here.
    """
    most = max(maps)
    rows = list(zip(maps, cutoffs, strict=False))
    low = max((count - 0.5) * 2 * cutoff for count, cutoff in rows)
    high = min(((n + 0.5) * 2 * cutoff for n, cutoff in rows if n < most), default=math.inf)
    low = max(low, 1.0)
    power = 2 ** math.ceil(math.log2(low))
    return int(power if power <= high else math.ceil(low))
