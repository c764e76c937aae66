"""Encoders out of the files of pSp and e4e, read as data.

Their files are those of torch.save: a ``state_dict`` whose names begin with ``encoder.`` and
``decoder.``, the training options ``opts``, and ``latent_avg`` where the encoder was trained from
the mean w. The encoders of pSp and e4e have the same names and shapes: only the options say which.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.checkpoints.assemble import fill
from latentlab.checkpoints.others.texts import in_place_of
from latentlab.checkpoints.pickles.records import Record, type_in_words
from latentlab.checkpoints.pickles.torch_save import STREAM_START, ZIP_START, read_torch
from latentlab.checkpoints.systems.translation import ForeignWeights
from latentlab.checks import check_choice
from latentlab.encoders.config import (
    E4E,
    ENCODER_TYPES,
    INTO_W,
    INTO_W_PLUS,
    PSP,
    UNITS,
    EncoderConfig,
)
from latentlab.encoders.network import Encoder, build
from latentlab.errors import (
    CheckpointError,
    UnsupportedCheckpoint,
    UnsupportedNetwork,
    quoted,
    shown,
)
from latentlab.foreign_files.opening import open_regular
from latentlab.tensor_files import read_safetensors
from latentlab.weightless import weightless

_MARK = "body.0.res_layer.0.weight"  # a name that only an encoder has
_PREFIXES = ("encoder.", "")
_COUNTER = ".num_batches_tracked"  # of training
_OTHER_NAMES = {"SingleStyleCodeEncoder": INTO_W}  # e4e's of the same network
_CARS = "cars_encode"  # a data set whose pictures are wider than high
_SQUARE, _WIDE = (256, 256), (192, 256)  # height and width
_EXPECTED = "expected a file of pSp or e4e, with its encoder"


def load_encoder(
    path: Path | str, encoder_type: str | None = None, *, allow_nonfinite: bool = False
) -> Encoder:
    """Open the encoder in a file of pSp or e4e as plain data; nothing in it is run.

    Args:
        path: The file.
        encoder_type: "GradualStyleEncoder" (pSp) or "Encoder4Editing" (e4e), where the file has
            no options that say it: the two have the same weights and mean different things.
        allow_nonfinite: Accept NaN and infinite weights.

    Returns:
        A module from images [N,3,H,W] in [-1,1] to ws [N,num_ws,w_dim], in eval mode, float32, on
        the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged, or holds no such encoder.
        SettingsError: If there is no such type.
    """
    if encoder_type is not None:
        check_choice(encoder_type, "encoder_type", ENCODER_TYPES)
    file, where = Path(path), str(path)
    found, taken = _read(file)
    weights = ForeignWeights(_weights(found, where), f"{where}: encoder")
    options = _options(found)
    kind = _type_of(weights, options, encoder_type, where)
    mean = _mean(found, where)
    config = _config(weights, kind, options, mean, where)
    with weightless():
        network = build(config)
    fill(network, weights.tensors, weights.where, allow_nonfinite, taken)
    if mean is not None:
        mean = _fitting(mean, config, where)
    return Encoder(network, config, mean if config.relative else None, where).eval()


def _read(file: Path) -> tuple[dict[Any, Any], set[int] | None]:
    """Return what a file holds, and whether its tensors are in memory of their own, see ``fill``.

    A state dict in a safetensors file has no options beside it.
    """
    try:
        with open_regular(file) as stream:
            start = stream.read(9)
    except OSError as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise CheckpointError(f"{file}: {what}; {_EXPECTED}") from error
    if start[8:9] == b"{":
        return {**read_safetensors(file)[1]}, None
    if not start.startswith((ZIP_START, STREAM_START)):
        words = in_place_of(file)
        rest = f"; {_EXPECTED}" if words is None else f", but {words}"
        raise UnsupportedCheckpoint(f"{file}: not a file of torch.save{rest}")
    found = read_torch(file)
    if type(found) is not dict:
        kind = type_in_words(found)
        raise UnsupportedCheckpoint(f"{file}: holds an object of type {kind}; {_EXPECTED}")
    return found, set()


def _weights(found: Mapping[Any, Any], where: str) -> Mapping[str | int, object]:
    """Return the encoder's part of a state dict, by its own names.

    Raises:
        UnsupportedCheckpoint: If there is none.
    """
    inner = found.get("state_dict")
    state = inner if type(inner) is dict else found
    names = {str(name).removeprefix("module."): value for name, value in state.items()}
    for prefix in _PREFIXES:
        if prefix + _MARK in names:
            part: dict[str | int, object] = {
                name.removeprefix(prefix): value
                for name, value in names.items()
                if name.startswith(prefix) and not name.endswith(_COUNTER)
            }
            part.pop("latent_avg", None)  # of a file without places
            return part
    here = [name for name in names if name.startswith("encoder.")] or list(names)
    raise UnsupportedCheckpoint(
        f"{where}: no IR-SE50 encoder inside, only {shown(here[:3]) or 'nothing'}; {_EXPECTED}"
    )


def _options(found: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the training options that are plain text and numbers; nothing if there are none."""
    options = found.get("opts")
    if type(options) is Record:
        options = options.state
    items = options.items() if type(options) is dict else ()
    return {k: v for k, v in items if type(k) is str and type(v) in (str, int, bool)}


def _type_of(
    weights: ForeignWeights, options: Mapping[str, Any], asked: str | None, where: str
) -> str:
    """Say which of the encoders the weights are of.

    Raises:
        UnsupportedCheckpoint: If nothing says it, or it is none that is computed here.
        CheckpointError: If the file, its weights or the caller say different things.
    """
    named = options.get("encoder_type")
    said = named if named is None else _OTHER_NAMES.get(str(named), str(named))
    if said is not None and said not in ENCODER_TYPES:
        raise UnsupportedCheckpoint(
            f"{where}: the encoder is a {quoted(said)}, which is not computed here; only "
            f"{', '.join(ENCODER_TYPES)} are"
        )
    by_names = {
        "styles.0.linear.weight": (PSP, E4E), "output_layer_2.3.weight": (INTO_W_PLUS,),
        "linear.weight": (INTO_W,),
    }  # fmt: skip
    possible = next((types for name, types in by_names.items() if name in weights), ())
    if not possible:
        raise UnsupportedCheckpoint(
            f"{where}: a backbone without layers that give styles, such as a network that "
            f"recognises faces; {_EXPECTED}"
        )
    if None not in (said, asked) and said != asked:
        raise CheckpointError(
            f"{where}: its options say {said}, not {asked}", advice=["leave `encoder_type` out"]
        )
    chosen = said or asked or (possible[0] if len(possible) == 1 else None)
    if chosen is None:
        raise UnsupportedCheckpoint(
            f"{where}: has no options that say whether the encoder is pSp's or e4e's, whose "
            "weights look the same",
            advice=[f"give `encoder_type` {PSP} (pSp) or {E4E} (e4e)"],
        )
    if chosen not in possible:
        raise CheckpointError(f"{where}: the weights are not those of a {chosen}")
    return str(chosen)


def _config(
    weights: ForeignWeights, kind: str, options: Mapping[str, Any], mean: Tensor | None, where: str
) -> EncoderConfig:
    """Return what the shapes and the options say.

    Raises:
        UnsupportedCheckpoint: If the encoder is for something else than photographs, or too large.
    """
    maps, channels = weights.shape("input_layer.0.weight", 4)[:2]
    if channels != 3:
        what = {1: "grey sketches", 6: "a photograph and a picture made of it (ReStyle)"}
        looks_at = what.get(channels, f"{channels} maps of a segmentation")
        raise UnsupportedCheckpoint(f"{where}: the encoder looks at {looks_at}, not a photograph")
    starts = [sum(UNITS[:i]) for i in range(1, len(UNITS))]  # of the stages after the first
    widths = [maps, *(weights.shape(f"body.{i}.res_layer.1.weight", 4)[0] for i in starts)]
    linear = "styles.0.linear.weight" if kind in (PSP, E4E) else "linear.weight"
    w_dim = weights.shape(linear, 2)[0 if kind in (PSP, E4E, INTO_W) else 1]
    if kind in (PSP, E4E):
        rows = weights.count("styles.{}.linear.weight")
    else:
        rows = 1 if kind == INTO_W else weights.shape(linear, 2)[0] // max(w_dim, 1)
    cars = options.get("dataset_type") == _CARS
    if kind != INTO_W and not cars:
        _check_size(rows, options, where)
    relative = bool(options.get("start_from_latent_avg", mean is not None))
    height, width = _WIDE if cars else _SQUARE
    try:
        return EncoderConfig(kind, rows, w_dim, height, width, tuple(widths), relative, cars)
    except UnsupportedNetwork as error:
        raise UnsupportedCheckpoint(f"{where}: {error}") from error


def _check_size(rows: int, options: Mapping[str, Any], where: str) -> None:
    """Compare the rows with the size of the generator that the options name."""
    size = options.get("output_size", options.get("stylegan_size"))
    if type(size) is int and size >= 4 and 2 * int(math.log2(size)) - 2 != rows:
        raise CheckpointError(
            f"{where}: gives {rows} styles, but its options say a generator of {size} px"
        )


def _mean(found: Mapping[Any, Any], where: str) -> Tensor | None:
    mean = found.get("latent_avg")
    if mean is None:
        return None
    if type(mean) is not Tensor or not mean.is_floating_point():
        raise CheckpointError(f"{where}: latent_avg is not a tensor of floats")
    return mean.to(torch.float32)


def _fitting(mean: Tensor, config: EncoderConfig, where: str) -> Tensor:
    """Return the mean w as [rows,w_dim]: one for all rows, or one for each.

    Raises:
        CheckpointError: If it is something else, or holds NaN.
    """
    rows = mean.reshape(-1, mean.shape[-1]) if mean.ndim in (1, 2, 3) and mean.numel() else None
    single = config.encoder_type == INTO_W
    fits = rows is not None and rows.shape[1] == config.w_dim
    if rows is None or not fits or not (single or len(rows) in (1, config.num_ws)):
        raise CheckpointError(
            f"{where}: latent_avg has shape {list(mean.shape)}, which does not fit "
            f"{config.num_ws} x {config.w_dim}"
        )
    if not bool(torch.isfinite(rows).all()):
        raise CheckpointError(f"{where}: latent_avg holds NaN or infinity")
    return rows.clone()
