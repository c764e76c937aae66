"""The options that make networks faster: compiled, or with large layers in 16 bits.

Nothing here imports torch: help and usage errors answer at once.
"""

from collections.abc import Callable
from typing import Any

import click

# As latentlab.acceleration.PRECISIONS, without torch.
_PRECISIONS = ("float32", "bfloat16", "float16")

_DEARER = 1.15  # times the cost of float32, from which it is told

compile_option = click.option(
    "--compile", "compiled", is_flag=True,
    help="Compile the networks first: for much work on large pictures. It takes up to minutes, "
    "and a C++ compiler on the CPU; numbers agree to rounding.",
)  # fmt: skip


def precision_option(layers: str = "the large layers of a StyleGAN2") -> Callable[[Any], Any]:
    """Return ``--precision``, whose help names the layers that it is for."""
    return click.option(
        "--precision", type=click.Choice(_PRECISIONS), default="float32", show_default=True,
        help=f"Numbers in {layers}: those of 16 bits are for previews, and faster where the "
        "processor computes in them.",
    )  # fmt: skip


def accelerated(
    network: Any, compiled: bool, precision: str = "float32", gradients_only: bool = False
) -> Any:
    """Return a network as the options have it, itself where they leave it alone.

    A dry run compiles nothing.

    Args:
        network: A generator or a distance, on its device.
        compiled: Whether torch compiles it.
        precision: Of its large layers.
        gradients_only: Leave exact what takes no derivatives.

    Raises:
        SettingsError: If its layers are not known to bear that precision.
    """
    from latentlab import acceleration

    ctx = click.get_current_context(silent=True)
    dry = ctx is not None and bool(ctx.params.get("dry_run"))
    if precision != "float32":
        network = acceleration.in_precision(network, precision, gradients_only=gradients_only)
        _tell_cost(network, precision)
    if compiled and not dry:
        network = acceleration.compiled(network, gradients_only=gradients_only)
    return network


def _tell_cost(network: Any, precision: str) -> None:
    """Say once where 16 bits take longer: on processors that do not compute in them."""
    from cli.text import say_soon
    from latentlab import acceleration, distributed

    g_on_cpu = getattr(network, "device", None) is not None and network.device.type == "cpu"
    if not g_on_cpu or not distributed.is_main():
        return
    if (cost := acceleration.cost_of(precision)) > _DEARER:
        say_soon(f"{precision} is slower than float32 on this processor: a convolution takes "
                 f"{cost:.1f} times as long.")  # fmt: skip


def facts(compiled: bool, precision: str = "float32") -> dict[str, Any]:
    """Return what a manifest says of the options, where they change anything."""
    told: dict[str, Any] = {} if precision == "float32" else {"precision": precision}
    return told | ({"compiled": True} if compiled else {})
