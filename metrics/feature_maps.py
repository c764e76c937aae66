"""The feature maps of any generator, seen while it renders."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from latentlab import Generator, LatentError
from latentlab.networks.stylegan3 import SynthesisLayer
from latentlab.networks.synthesis import Block, NoiseLayer

See = Callable[[str, Tensor], None]  # takes a layer's name and its feature maps [N,C,H,W]
Hook = Callable[[nn.Module, tuple[object, ...], object], None]


@contextmanager
def watched(g: Generator, rows: int, see: See) -> Iterator[None]:
    """Call ``see`` with the feature maps [rows,C,H,W] of every layer that is computed meanwhile.

    A map is shown as the next layer gets it, after all hooks that stand on the modules already.
    None is kept: the maps of all layers together may not fit into memory.

    Raises:
        LatentError: If the generator has no modules to watch.
    """
    with ExitStack() as stack:
        if getattr(g.synthesis, "program", None) is not None:  # which runs other modules
            stack.callback(setattr, g.synthesis, "program", g.synthesis.program)
            g.synthesis.program = None
        for name, module in feature_layers(g).items():
            image = 0 if _is_ours(module) else g.channels
            hook = _shown_as(name, rows, image, see)
            stack.callback(module.register_forward_hook(hook).remove)
        yield


def feature_layers(g: Generator) -> dict[str, nn.Module]:
    """Return the modules that give feature maps by the layers' names, in order.

    They are named as the modules in ``g.synthesis``. A block stands for its last layer, unless it
    adds to that layer's output, as the resnet's. Of a generator that is not ours, all modules.

    Raises:
        LatentError: If the generator has no modules.
    """
    synthesis = g.synthesis
    if not isinstance(synthesis, nn.Module):
        raise LatentError("this generator's `synthesis` is not a torch module: no layers to see")
    layers: dict[str, nn.Module] = {}
    for name, block in synthesis.named_children():
        if isinstance(block, Block):
            layers.update(_of_block(name, block))
    foreign = {name: module for name, module in synthesis.named_modules() if name}
    if not layers and not foreign:
        raise LatentError("this generator's `synthesis` has no modules: no layers to see")
    return layers or foreign


def margin(layer: nn.Module) -> float:
    """Return the share of a layer's maps that lies outside of the picture, on each side."""
    if not isinstance(layer, SynthesisLayer):
        return 0.0
    signal = layer.geometry.target
    return (signal.size - signal.rate) / 2 / signal.size


def _of_block(name: str, block: Block) -> dict[str, nn.Module]:
    if isinstance(block, SynthesisLayer):
        return {} if block.geometry.is_rgb else {name: block}
    parts = block.named_children()
    layers = {f"{name}.{part}": module for part, module in parts if isinstance(module, NoiseLayer)}
    alone = not layers or getattr(block, "skip", None) is not None
    whole = name if alone else list(layers)[-1]
    return {**layers, whole: block}


def _is_ours(module: nn.Module) -> bool:
    """Whether it is known to give feature maps, however few channels they have."""
    return isinstance(module, Block | NoiseLayer)


def _shown_as(name: str, rows: int, image_channels: int, see: See) -> Hook:
    def hook(_module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4 or len(output) != rows:
            return
        if output.is_floating_point() and output.shape[1] > image_channels:  # else, an image
            see(name, output)

    return hook
