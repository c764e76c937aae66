"""From a network of ours to one that another code base has, or the reason why there is none.

Both are described by a config of ours. Where their code has no choice in a field, weights may make
up for it; where they cannot, and their code would make other images, the network is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.assemble import blank
from latentlab.checkpoints.systems.substitutes import resample_filters
from latentlab.checkpoints.systems.translation import Change, Rule
from latentlab.errors import UnsupportedCheckpoint, quoted
from latentlab.networks.config import ImageNetworkConfig, block_resolutions

Weights = dict[str, Tensor]

# Fields that have no part in the computation, when that is so, and the one value that they are
# brought to: two configs of the same computation become equal.
_IDLE: tuple[tuple[str, Callable[[Any], bool], Any], ...] = (
    ("label_input", lambda c: c.c_dim == 0, "embed"),
    ("embed_features", lambda c: c.c_dim == 0 or c.embed_features == c.w_dim, None),
    ("layer_features", lambda c: c.mapping_layers < 2 or c.layer_features == c.w_dim, None),
    ("mapping_lr_multiplier", lambda c: c.mapping_layers == 0, 1.0),
    ("mapping_negative_slope", lambda c: c.mapping_negative_slope == c.negative_slope, None),
    ("skip_filter", lambda c: c.architecture != "skip", "fir"),
    ("clamps_last_rgb", lambda c: c.conv_clamp is None, False),
    ("fc_features", lambda c: c.fc_features == c.feature_maps(4), None),
    ("cmap_dim", lambda c: c.c_dim == 0 or c.cmap_dim == c.feature_maps(4), None),
    ("label_output", lambda c: c.c_dim == 0, "projection"),
    ("pixel_norm_epsilon", lambda c: not c.pixel_norm, 1e-8),
    ("instance_norm_epsilon", lambda c: not c.instance_norm, 1e-8),
    ("shared_noise", lambda c: not c.use_noise, False),
    ("blurred_bias", lambda c: c.resolution == 4, False),
    ("widens_first", lambda c: len({c.feature_maps(r) for r in _sizes(c)}) == 1, False),
    ("fused_from", lambda c: c.fused_from is not None and c.fused_from > c.resolution, None),
)


def plain(config: Any) -> Any:
    """Return a config with each field that has no part in the computation at one value."""
    if isinstance(config, ImageNetworkConfig):
        config = replace(
            config, channel_table=table_of(config), channel_base=2**20, channel_max=8192
        )
    is_unlabelled = hasattr(config, "cmap_dim") and config.c_dim == 0
    config = replace(config, mapping_layers=0) if is_unlabelled else config
    for name in ("resample_filter", "blur_filter"):
        if taps := getattr(config, name, None):
            config = replace(config, **{name: tuple(tap / sum(taps) for tap in taps)})
    for name, is_idle, value in _IDLE:
        if hasattr(config, name) and is_idle(config):
            config = replace(config, **{name: value})
    return config


def sizes_of(config: Any) -> dict[str, Any]:
    """Return the sizes of a generator as another's settings: its z is as long as its w."""
    return {
        "resolution": config.resolution,
        "channels": config.channels,
        "channel_table": table_of(config),
        "z_dim": config.w_dim,
        "w_dim": config.w_dim,
        "mapping_layers": config.mapping_layers,
    }


def table_of(config: Any) -> tuple[int, ...]:
    """Return the feature maps at 4x4, 8x8, ..."""
    return tuple(config.feature_maps(size) for size in _sizes(config))


def _sizes(config: Any) -> list[int]:
    return block_resolutions(config.resolution)


@dataclass(frozen=True)
class Form:
    """The networks of one kind that another code base has.

    Attributes:
        holder: What has them, for messages: "a generator of rosinality/stylegan2-pytorch".
        wanted: Gives the config that its code has at the sizes of a config of ours.
        folded: Fields that weights make up for, or whose effect is measured once it is written.
        close: Fields in which its code computes nearly the same, and how; see ``fit``.
        reasons: Why there is no other value of a field, for messages.
        adapt: Changes weights so that ``wanted`` computes the same, where fields do not tell.
    """

    holder: str
    wanted: Callable[[Any], Any]
    folded: frozenset[str] = frozenset()
    close: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    adapt: Callable[[Any, Weights], Weights] = lambda _config, weights: weights


@dataclass(frozen=True)
class Fitted:
    """A network as another code base can hold it.

    Attributes:
        config: What its code has, in our words.
        weights: All weights of that network, by our names.
        differences: What its code computes differently, one clause each.
    """

    config: Any
    weights: Weights
    differences: tuple[str, ...]


def fit(network: nn.Module, form: Form, where: str, approximate: bool = False) -> Fitted:
    """Bring a network to what another code base has.

    Args:
        network: One of ours.
        form: What is to hold it.
        where: Its name, for messages.
        approximate: Accept what the other code computes nearly the same, and say so.

    Raises:
        UnsupportedCheckpoint: Naming each setting that does not fit, and why.
    """
    config: Any = network.config
    have, wanted = plain(config), form.wanted(config)
    weights = {name: tensor.cpu().float() for name, tensor in network.state_dict().items()}
    apart = _apart(have, plain(wanted), form)
    refused = [text for name, text in apart.items() if name not in form.close]
    refused += [f"lod is {lod:g}: it is in the middle of growing" for lod in _lods(weights) if lod]
    close = [name for name in apart if name in form.close]
    if refused or (close and not approximate):
        reasons = "; ".join(refused or [apart[name] for name in close])
        advice = [] if refused else ["give `approximate` to write it all the same"]
        raise UnsupportedCheckpoint(f"{where}: cannot be {form.holder}: {reasons}", advice=advice)
    weights = form.adapt(config, _with_rate(weights, config, wanted))
    differences = tuple(form.close[name] for name in close)
    return Fitted(wanted, _completed(weights, wanted, where), differences)


def named_back(
    rules: Mapping[str, Rule], weights: Weights, filters: Mapping[str, Tensor]
) -> Weights:
    """Return weights by their names: ours, by the rules that read them, and fixed filters.

    Raises:
        TypeError: If a rule has a change that is no ``Change``, and so no way back.
    """
    return {rule.source: _back(rule, weights[ours]) for ours, rule in rules.items()} | dict(filters)


def _back(rule: Rule, tensor: Tensor) -> Tensor:
    if rule.change is None:
        return tensor
    if not isinstance(rule.change, Change):
        raise TypeError(f"{rule.source}: its rule knows no way back")
    return rule.change.back(tensor)


def _apart(have: Any, wanted: Any, form: Form) -> dict[str, str]:
    """Say of each field that differs, and for which no weight makes up, what does not fit."""
    found = {}
    for each in fields(have):
        ours, theirs = getattr(have, each.name), getattr(wanted, each.name)
        if ours != theirs and each.name not in form.folded:
            usual = f"there it is {quoted(theirs)}"
            reason = form.close.get(each.name) or form.reasons.get(each.name, usual)
            found[each.name] = f"{each.name} is {quoted(ours)}: {reason}"
    return found


def _lods(weights: Weights) -> list[float]:
    """Return how many resolutions a growing network has still to grow."""
    return [float(value) for name, value in weights.items() if name.split(".")[-1] == "lod"]


def _with_rate(weights: Weights, config: Any, wanted: Any) -> Weights:
    """Fold another learning rate of the mapping into its weights and biases."""
    rates = [getattr(each, "mapping_lr_multiplier", 1.0) for each in (config, wanted)]
    if rates[0] == rates[1]:
        return weights
    factor = rates[0] / rates[1]
    return {k: v * factor if k.startswith("mapping.fc") else v for k, v in weights.items()}


def _completed(weights: Weights, wanted: Any, where: str) -> Weights:
    """Return all weights of a network, with zeros for layers that ours does without."""
    expected = blank(wanted, where)
    filters = resample_filters(expected) if hasattr(wanted, "resample_filter") else {}
    return {
        name: weights[name] if name in weights else filters.get(name, torch.zeros(slot.shape))
        for name, slot in expected.state_dict().items()
    }
