"""Whether numbers of two models may be ranked, and if not, why."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from latentlab.perceptual import MAX_RESOLUTION
from metrics.result import MetricResult
from metrics.separability.common import over_common_attributes

# Settings that must be the same in both, by metric, and what a sentence calls them.
THE_SAME: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "path_length": {"distance": "perceptual distances", "epsilon": "steps", "noise": "noise"},
    "separability": {"classifiers": "classifiers", "outputs": "kinds of outputs",
                     "num_keep": "numbers of samples kept", "dual": "solvers"},
    "droplets": {"threshold": "thresholds", "channel_share": "shares of the channels",
                 "noise": "noise"},
    "attribution": {"distance": "perceptual distances", "space": "spaces",
                    "steps": "numbers of steps", "truncation_psi": "truncation",
                    "pictures": "real pictures"},
    "fidelity": {"data": "real pictures", "mirror": "mirroring", "n": "numbers of pictures",
                 "reals": "numbers of real pictures", "features": "networks",
                 "mixed": "numbers of mixed latents",
                 "weights_sha256": "weights of networks"},
})  # fmt: skip

_FIRST_RULE = 1  # of droplets, which results from before there was a second do not name

_BY_RESOLUTION = MappingProxyType({
    "path_length": "path lengths depend on the resolution",
    "droplets": "larger pictures have more layers in which a droplet can be",
    "fidelity": "real pictures are brought to the generator's size, and so differ",
    "attribution": "real pictures are brought to the generator's size, and so differ",
    "equivariance": "the same shift is of more pixels where there are more",
})  # fmt: skip


def on_common_ground(
    results: Mapping[str, Iterable[MetricResult]],
) -> dict[str, list[MetricResult]]:
    """Return what was measured of models so that the same counts for all of them.

    Scores of linear separability are over the attributes that are valid in all models; other
    results stay as they are.
    """
    found = {model: list(mine) for model, mine in results.items()}
    protocols = {key: None for mine in found.values() for key in map(_protocol, mine) if key}
    for protocol in protocols:
        places = {
            model: next(i for i, result in enumerate(mine) if _protocol(result) == protocol)
            for model, mine in found.items()
            if any(_protocol(result) == protocol for result in mine)
        }
        shared = over_common_attributes({m: found[m][i] for m, i in places.items()})
        for model, result in shared.items():
            found[model][places[model]] = result
    return found


def reasons_against(a: MetricResult, b: MetricResult, quantity: str) -> list[str]:
    """Say why two numbers of one metric and protocol must not be ranked; nothing if they may be."""
    return list(dict.fromkeys(_reasons(a, b, quantity)))


def _reasons(a: MetricResult, b: MetricResult, quantity: str) -> Iterator[str]:
    for name, words in THE_SAME.get(a.metric, {}).items():
        if name in a.settings and name in b.settings:
            mine, other = a.settings[name], b.settings[name]
            if mine != other:
                plain = isinstance(mine, str | int | float)
                both = f": {mine} and {other}" if plain else ""
                yield f"Measured with different {words}{both}."
    if a.metric == "droplets":
        rules = [result.settings.get("rule", _FIRST_RULE) for result in (a, b)]
        if rules[0] != rules[1]:
            yield f"Found by different rules: {rules[0]} and {rules[1]}; measure the older again."
    sizes = _size(a), _size(b)
    if a.metric in _BY_RESOLUTION and None not in sizes and sizes[0] != sizes[1]:
        what = f"{sizes[0]}x{sizes[0]} and {sizes[1]}x{sizes[1]} pixels"
        yield f"Pictures of {what}: {_BY_RESOLUTION[a.metric]}."
    for result in (a, b):
        yield from (each.text for each in result.cautions_of(quantity) if not each.ranks)


def _size(result: MetricResult) -> int | None:
    """Return the side of the pictures that a metric looks at."""
    size: Any = result.settings.get("resolution")
    if size is not None and result.metric == "path_length":
        size //= 2 if result.settings.get("crop") else 1
        return int(min(size, MAX_RESOLUTION))  # larger ones are brought to this
    return None if size is None else int(size)


def _protocol(result: MetricResult) -> str | None:
    """Return the protocol of a result of linear separability."""
    separability = result.metric == "separability" and "attribute" in result.samples
    return str(result.settings.get("protocol", "")) if separability else None
