"""Variables that some releases and options write differently, brought to the usual form."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.checkpoints.systems.tensorflow.arguments import Arguments
from latentlab.checkpoints.systems.tensorflow.records import FoundNetwork
from latentlab.checkpoints.systems.tensorflow.variables import Variables

_STATE = "_sn"  # ends the name of a spectral norm's state


def prepare(network: FoundNetwork, a: Arguments, variables: Variables) -> list[str]:
    """Bring ``variables`` to the form that the tables of names describe, in place.

    Values are not checked yet: what does not fit is left for the check that follows.

    Returns:
        Sentences for a person, where something was left aside or is not as in the file.
    """
    notes = []
    if a.values["dtype"] == "float16":
        notes.append("made for float16, computed in float32")
    if network.function == "G_paper" and network.original:
        _reorder_upsampling(variables)
    if network.function == "D_paper":
        notes += _keep_first_output(variables, "4x4/Dense1", 1 + a.whole("label_size", 0, 100_000))
    if network.function == "D_main":
        notes += _keep_first_output(variables, "Output", a.whole("score_max", 1, 10_000))
        if a.flag("use_pagan"):
            notes += _drop_bits(variables)
        if a.flag("use_spectral_norm"):
            notes += _fold_spectral_norm(variables)
    _drop_empty_noise(variables)
    return notes


def _reorder_upsampling(variables: Variables) -> None:
    """Progressive GAN's first release has [k,k,out,in] in fused upsampling, later [k,k,in,out]."""
    for name in [name for name in variables if name.endswith("/Conv0_up/weight")]:
        weight = _array(variables, name, 4)
        if weight is not None:
            variables[name] = weight.transpose(0, 1, 3, 2)


def _keep_first_output(variables: Variables, layer: str, outputs: int) -> list[str]:
    """Drop what a discriminator gives besides its score: labels (2018), rotations (ADA)."""
    weight, bias = _array(variables, f"{layer}/weight", 2), _array(variables, f"{layer}/bias", 1)
    if outputs == 1 or weight is None or bias is None:
        return []
    if (weight.shape[1], bias.shape[0]) != (outputs, outputs):
        return []
    variables[f"{layer}/weight"], variables[f"{layer}/bias"] = weight[:, :1], bias[:1]
    return [f"gives its score; its {outputs - 1} other outputs are left aside"]


def _drop_bits(variables: Variables) -> list[str]:
    """Without augmentation, the bits that PA-GAN adds to the input are zero."""
    for name in [name for name in variables if name.endswith("/PAGAN/weight")]:
        del variables[name]
    return ["the inputs of progressive augmentation are left aside"]


def _fold_spectral_norm(variables: Variables) -> list[str]:
    """Divide weights by their largest singular value, as the first run would estimate it.

    One step of power iteration from the stored state (Miyato et al. 2018).
    """
    for name in [name for name in variables if name.endswith(_STATE)]:
        state = _array(variables, name, 2)
        weight = _array(variables, name.removesuffix(_STATE), 4)
        if state is None or weight is None or weight.size == 0:
            continue
        if state.shape != (1, weight.shape[3]):
            continue
        gain = 1 / math.sqrt(math.prod(weight.shape[:3]))
        with np.errstate(all="ignore"):  # what is not finite is refused, with its name, later
            matrix = weight.astype(np.float64).reshape(-1, weight.shape[3]) * gain
            left = state.astype(np.float64) @ matrix.T
            left /= math.sqrt(float((left**2).sum()) + 1e-8)
            norm = math.sqrt(float(((left @ matrix) ** 2).sum()) + 1e-8)
            del variables[name]
            variables[name.removesuffix(_STATE)] = weight / norm
    return ["spectral normalisation is part of the weights"]


def _drop_empty_noise(variables: Variables) -> None:
    """Networks without noise may have maps without content, [1,0,h,w]."""
    for name in [name for name in variables if name.startswith("synthesis/noise")]:
        noise = _array(variables, name, 4)
        if noise is not None and noise.size == 0:
            del variables[name]


def _array(variables: Variables, name: str, rank: int) -> NDArray[Any] | None:
    """Return an array of floats with so many axes, or None if the variable is not one."""
    value = variables.get(name)
    fits = type(value) is np.ndarray and value.dtype.kind == "f" and value.ndim == rank
    return value if fits else None
