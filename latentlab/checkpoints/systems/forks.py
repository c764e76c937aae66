"""Settings that forks added to the published networks: which of them change nothing.

A network of a fork is the published one while the fork's own settings are neutral, and then it
opens. What a setting with another value would change is said in words. ``_RULES`` and
``_by_word`` know the settings of forks that are in use. Of any other, this is the decision:

- None and empty values say that nothing was asked for, and so does a switch ("use_...") that is
  off. They pass, and the checkpoint carries a note that names them.
- That does not hold for a name that speaks of what the published networks have themselves
  (``_OWN_PARTS``): ``use_demodulation=False`` takes something away, and no weight would tell.
- Everything else is refused: the weights may fit, and the images be wrong.
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

from latentlab.checks import require
from latentlab.errors import UnsupportedCheckpoint, quoted, shown

Settings = Mapping[str, Any]
# Refuses a setting, by its name, that is not neutral: all settings of the group, the resolution.
_Rule = Callable[[str, Settings, object], None]

_START = 4  # px, of the constant in the published networks
_MOST = 4096  # px
_FREEZING = "freeze_"  # which weights were trained, and no matter once they are
_SWITCHES = ("use_", "with_", "enable_", "has_")
_ATTENTION = ("attention", "attn", "sagan")
# Starts of words that name operations of the published networks, which have no weights.
_OWN_PARTS = (
    "noise", "style", "norm", "demod", "mod", "bias", "mbstd", "stddev", "scale", "wscale", "gain",
    "lr", "leaky", "relu", "act", "nonlin", "clamp", "filter", "blur", "fir", "resampl", "up",
    "down", "const", "skip", "pixel", "instance", "latent", "label", "equal", "broadcast", "fused",
)  # fmt: skip


def settle(unknown: Collection[str], settings: Settings, resolution: object) -> list[str]:
    """Let pass what changes nothing among the settings that published networks do not have.

    Args:
        unknown: Their names.
        settings: The whole group that they are in, as plain values.
        resolution: Of the network, as the file has it; not checked.

    Returns:
        The names of those that this version does not know, and that are off.

    Raises:
        UnsupportedCheckpoint: Saying what a setting changes, or that it is not known.
    """
    off, strange = [], []
    for name in sorted(unknown):
        rule = _RULES.get(name) or _by_word(name)
        if rule is not None:
            rule(name, settings, resolution)
        elif _is_off(name, settings[name]):
            off.append(name)
        else:
            strange.append(name)
    if strange:
        raise UnsupportedCheckpoint(
            f"unknown setting {shown(strange)}, which may change what the network computes"
        )
    return off


def note_of(names: Collection[str]) -> list[str]:
    """Return a sentence that names settings which are off, if there are any."""
    if not names:
        return []
    held = shown(sorted(set(names)))
    return [f"Settings that this version does not know are off and taken to change nothing: {held}"]


def _words(name: str) -> list[str]:
    return name.lower().split("_")


def _is_off(name: str, value: object) -> bool:
    if any(word.startswith(_OWN_PARTS) for word in _words(name)):
        return False
    if value is None or (type(value) in (str, list, tuple, dict) and not value):
        return True
    return name.startswith(_SWITCHES) and type(value) in (bool, int) and not value


def _by_word(name: str) -> _Rule | None:
    if name.startswith(_FREEZING):
        return _no_matter
    return _no_attention if any(word in _ATTENTION for word in _words(name)) else None


def _no_matter(_name: str, _settings: Settings, _resolution: object) -> None:
    pass


def _no_attention(name: str, settings: Settings, _: object) -> None:
    if settings[name]:
        raise UnsupportedCheckpoint(
            f"attention layers (`{name}` is {quoted(settings[name])}), which the published "
            "networks do not have and which are not supported"
        )


def _always(neutral: object, why: str) -> _Rule:
    """Make a rule for a setting that has one neutral value."""

    def rule(name: str, settings: Settings, _: object) -> None:
        value = settings[name]
        value = list(value) if type(value) is tuple else value
        same = type(value) is not bool and value == neutral
        require(same, name, f"{neutral}, {why}", settings[name])

    return rule


def _square(name: str, settings: Settings, resolution: object) -> None:
    """StyleGAN-Human: half as wide as high, unless square."""
    value = settings[name]
    require(type(value) in (bool, int) and value in (0, 1), name, "true or false", value)
    if not value:
        high = resolution if type(resolution) is int else 1024
        _refuse_shape(high, high // 2, "`square` is false, as in StyleGAN-Human's whole figures")


def _start(name: str, settings: Settings, resolution: object) -> None:
    """The size of the constant: [height, width], or one number for both."""
    value = settings[name]
    sides = list(value) if type(value) in (list, tuple) else [value, value]
    fits = len(sides) == 2 and all(_is_side(side) for side in sides)
    require(fits, name, "one or two whole numbers, height and width", value)
    _check_start(sides[0], sides[1], _enlarged(resolution))


def _smallest(name: str, settings: Settings, resolution: object) -> None:
    """The same as two settings, doubled ``res_log2`` times."""
    require(_is_side(settings[name]), name, f"a whole number 1 to {_MOST}", settings[name])
    high, wide = (settings.get(side, _START) for side in ("min_h", "min_w"))
    doubled = settings.get("res_log2")
    factor = 2**doubled if _is_doubling(doubled) else _enlarged(resolution)
    if _is_side(high) and _is_side(wide):
        _check_start(high, wide, factor)


def _doublings(name: str, settings: Settings, resolution: object) -> None:
    value = settings[name]
    require(_is_doubling(value), name, "a whole number 0 to 10", value)
    smallest = max(side for side in (*_sides(settings), 1))
    if smallest * 2**value != resolution:
        raise UnsupportedCheckpoint(
            f"{smallest} px doubled {value} times (`{name}`) are {smallest * 2**value} px, and not "
            f"the resolution, {quoted(resolution)}"
        )


def _sides(settings: Settings) -> list[int]:
    found = [settings.get(side, _START) for side in ("min_h", "min_w")]
    return [side for side in found if _is_side(side)]


def _image_sides(name: str, settings: Settings, resolution: object) -> None:
    """Height and width of the images besides the resolution, which is both."""
    high, wide = (settings.get(side, resolution) for side in ("resolution_h", "resolution_w"))
    if _is_side(high) and _is_side(wide) and high != wide:
        _refuse_shape(high, wide, "height and width of the images")
    same = type(settings[name]) is type(resolution) and settings[name] == resolution
    require(same, name, f"{quoted(resolution)}, the resolution", settings[name])


def _is_side(value: object) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= _MOST


def _is_doubling(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= 10


def _enlarged(resolution: object) -> int | None:
    """By how much the constant is enlarged to the images, if the resolution is one."""
    return resolution // _START if _is_side(resolution) else None


def _check_start(high: int, wide: int, factor: int | None) -> None:
    if high != wide:
        sizes = (
            f", {wide * factor} px wide and {high * factor} px high in the end" if factor else ""
        )
        _refuse_shape(high, wide, f"height and width at the start{sizes}")
    if high != _START:
        raise UnsupportedCheckpoint(
            f"starts at {high}x{wide}, not at 4x4 as the published networks do; this is not "
            "supported"
        )


def _refuse_shape(high: int, wide: int, what: str) -> None:
    raise UnsupportedCheckpoint(
        f"not square: {high}x{wide} ({what}); only square images are supported"
    )


_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "square": _square,
        "init_res": _start,
        "min_h": _smallest,
        "min_w": _smallest,
        "res_log2": _doublings,
        "resolution_h": _image_sides,
        "resolution_w": _image_sides,
        "kernel_size": _always(3, "as in the published networks"),
        "countHW": _always([1, 1], "for one picture from one latent"),
        "splitfine": _always(0, "for one picture from one latent"),
    }
)
