"""Networks that compute faster: compiled by torch, or in numbers of 16 bits.

Both give a twin of a network. A compiled one shares its weights; one in 16 bits has a copy of the
large layers, made when the twin is. Whatever is saved, copied or trained is the
network itself: a copy of a twin computes as if there had never been one.
"""

import copy
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.checks import check_choice
from latentlab.errors import LatentlabError, SettingsError, reason
from latentlab.networks.generator import ImageGenerator
from latentlab.networks.half import FP16_RESOLUTIONS, half_synthesis
from latentlab.networks.modulated.forms import is_transformed, kept_at_hand
from latentlab.perceptual import LpipsDistance, PerceptualDistance, TorchScriptDistance

FLOAT32 = "float32"
_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = (FLOAT32, *_TYPES)

Network = TypeVar("Network", bound=nn.Module)
_Function = Callable[..., Any]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Program:
    """What is computed in place of a network's own function of tensors.

    Attributes:
        plain: The network's own function.
        fast: What is called instead.
        precision: Of the large layers, one of ``PRECISIONS``.
        compiled: Whether torch compiles it.
        gradients_only: Whether ``plain`` is called where no derivatives are taken. It is in any
            case where they are taken forwards, or by ``torch.func``.
    """

    plain: _Function
    fast: _Function
    precision: str = FLOAT32
    compiled: bool = False
    gradients_only: bool = False

    def __call__(self, *inputs: Any) -> Any:
        """Compute."""
        exact = self.gradients_only and not torch.is_grad_enabled()
        return (self.plain if exact or is_transformed() else self.fast)(*inputs)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of a network has weights of its own, and none of its programs: None."""
        return type(None), ()


def compiled(network: Network, *, gradients_only: bool = False) -> Network:
    """Return a twin of a generator or distance that torch.compile makes faster.

    The first picture, or step, waits for the compiler: tens of seconds. Numbers agree with those
    of the network itself to float32 rounding, not to the last bit. What is compiled is for the
    batch size of the first call; others are computed as ever. Where there is no compiler, or it
    fails, a warning says so and the twin computes as the network does.

    A TorchScript distance is a program already, and is returned as it is. Make the twin on the
    device where it is to compute.

    Args:
        network: From ``load`` or ``perceptual_distance``.
        gradients_only: Compile what takes derivatives, as the steps of ``project`` do, and leave
            the rest exact.

    Raises:
        SettingsError: If it is neither a generator nor a distance.
    """
    if isinstance(network, TorchScriptDistance):
        return network
    before = _program(network)
    if before.compiled:
        return network
    fast = _Compiled(before.fast, _name_of(network))
    exact = gradients_only or before.gradients_only
    return _twin(network, replace(before, fast=fast, compiled=True, gradients_only=exact))


def in_precision(
    network: Network,
    precision: str,
    *,
    resolutions: int = FP16_RESOLUTIONS,
    gradients_only: bool = False,
) -> Network:
    """Return a twin of a generator or distance whose large layers compute in 16 bits.

    Of a generator these are the blocks of the last ``resolutions`` but that of 4x4, as in the
    published training (``num_fp16_res``); of an LPIPS distance, its backbone. Latents, images,
    and what is compared of them stay in float32. Distances without such layers stay as they are.
    These layers are copies: make the twin anew after the weights have changed, and on the device
    where it is to compute.

    Args:
        network: From ``load`` or ``perceptual_distance``.
        precision: "float32" (the network itself), "bfloat16" or "float16".
        resolutions: How many.
        gradients_only: Compute in 16 bits what takes derivatives, as the steps of ``project`` do,
            and leave the rest exact.

    Raises:
        SettingsError: If it is neither a generator nor a distance, or its layers are not known to
            bear it: those of StyleGAN2 and LPIPS are.
    """
    check_choice(precision, "precision", PRECISIONS)
    before = _program(network)
    if precision == before.precision == FLOAT32:
        return network
    number = _TYPES.get(precision)
    fast: _Function
    if number is None:
        fast = before.plain
    elif isinstance(network, ImageGenerator):
        fast = half_synthesis(network.synthesis, number, resolutions).draw
    elif isinstance(network, LpipsDistance):
        fast = network.in_type(number)
    else:
        return network
    if before.compiled:
        fast = _Compiled(fast, _name_of(network))
    exact = gradients_only or before.gradients_only
    program = replace(before, fast=fast, precision=precision, gradients_only=exact)
    return _twin(network, program)


def plain(network: Network) -> Network:
    """Return a network without what makes it faster: itself, or a twin that computes as ever."""
    return network if _facts(network) == (FLOAT32, False) else _twin(network, None)


def cost_of(precision: str) -> float:
    """Return the time of a convolution on this CPU in a precision, by that in float32.

    Processors without instructions for 16 bits take longer with them.
    """
    check_choice(precision, "precision", PRECISIONS)
    times = {}
    for number in (torch.float32, _TYPES.get(precision, torch.float32)):
        x, weight = torch.ones(1, 64, 64, 64, dtype=number), torch.ones(64, 64, 3, 3, dtype=number)
        x = x.contiguous(memory_format=torch.channels_last)
        taken = []
        for _ in range(4):
            started = time.process_time()
            with torch.no_grad():
                F.conv2d(x, weight, padding=1)
            taken.append(time.process_time() - started)
        times[number] = min(taken)
    return list(times.values())[-1] / max(times[torch.float32], 1e-9)


def precision_of(network: object) -> str:
    """Return the type in which a network's large layers compute."""
    return _facts(network)[0]


def is_compiled(network: object) -> bool:
    """Whether torch compiles a network."""
    return _facts(network)[1]


def check_exact(*networks: object) -> None:
    """Raise SettingsError for a network in 16 bits, whose numbers are not for a measurement."""
    for network in networks:
        if (precision := precision_of(network)) != FLOAT32:
            raise SettingsError(
                f"metrics are measured in float32, as published figures are, not in {precision}; "
                "give the network itself"
            )


class _Compiled:
    """A function that torch compiles at its first call, or leaves as it is where it cannot."""

    def __init__(self, function: _Function, name: str) -> None:
        self._function, self._name = function, name
        self._fast: _Function | None = torch.compile(function, dynamic=False)
        self._shapes: list[tuple[int, ...]] | None = None

    def __call__(self, *inputs: Any) -> Any:
        shapes = [tuple(each.shape) for each in _tensors(inputs)]
        first = self._shapes is None
        if first:
            self._shapes = shapes
        if self._fast is None or shapes != self._shapes:
            return self._function(*inputs)
        network = getattr(self._function, "__self__", None)
        with kept_at_hand(network) if isinstance(network, nn.Module) else nullcontext():
            return self._first(inputs) if first else self._fast(*inputs)

    def _first(self, inputs: Sequence[Any]) -> Any:
        """Compile and call; whatever fails but a lack of memory is no reason to end."""
        try:
            with warnings.catch_warnings(), _quiet_compiler():
                warnings.simplefilter("ignore")  # of the compiler, about itself
                return cast(_Function, self._fast)(*inputs)
        except (LatentlabError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # the compiler's own are of many kinds
            self._fast = None
            _logger.warning("%s is not compiled, and computed as ever: %s",
                            self._name, _why(error))  # fmt: skip
            return self._function(*inputs)


@contextmanager
def _quiet_compiler() -> Iterator[None]:
    """Let torch's compiler log errors alone, whose warnings are about itself."""
    names = ("torch.utils.cpp_extension", "torch._dynamo", "torch._inductor")
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def _why(error: Exception) -> str:
    """Return in a line why something was not compiled."""
    causes = [error, *filter(None, [error.__cause__, getattr(error, "inner_exception", None)])]
    if any("compiler" in type(each).__name__.lower() or "No working C++" in str(each)
           for each in causes):  # fmt: skip
        return "there is no C++ compiler (g++, or what CXX names)"
    return reason(error)


def _tensors(inputs: Sequence[Any]) -> list[Tensor]:
    """Return the tensors of arguments and of lists among them."""
    flat = [each for x in inputs for each in (x if isinstance(x, list | tuple) else [x])]
    return [each for each in flat if isinstance(each, Tensor)]


def _program(network: nn.Module) -> Program:
    """Return a network's program; without one, its own function."""
    plain: _Function
    if isinstance(network, ImageGenerator):
        plain, found = network.synthesis.draw, network.synthesis.program
    elif isinstance(network, PerceptualDistance):
        plain, found = network.extract, network.program
    else:
        raise SettingsError(
            f"a {type(network).__name__} is neither a generator nor a perceptual distance"
        )
    return cast(Program, found) if found is not None else Program(plain, plain)


def _facts(network: object) -> tuple[str, bool]:
    holder = network.synthesis if isinstance(network, ImageGenerator) else network
    program = getattr(holder, "program", None)
    return (program.precision, program.compiled) if program is not None else (FLOAT32, False)


def _twin(network: Network, program: Program | None) -> Network:
    """Return a network of the same weights that has a program, or none."""
    twin: Any = copy.copy(network)
    if isinstance(network, ImageGenerator):
        synthesis: Any = copy.copy(network.synthesis)
        synthesis.program = program
        twin._modules = {**network._modules, "synthesis": synthesis}
    else:
        twin.program = program
    return cast(Network, twin)


def _name_of(network: nn.Module) -> str:
    return str(getattr(network, "name", "the generator"))
