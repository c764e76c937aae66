"""A generator of grey pictures as one of colour pictures."""

from dataclasses import replace

from latentlab.checkpoints.assemble import assemble, build_network
from latentlab.errors import SettingsError
from latentlab.networks.generator import Generator

_RGB_LAYERS = (".torgb.weight", ".torgb.bias")


def in_colour(g: Generator) -> Generator:
    """Return a generator whose three channels are all equal to the one of ``g``.

    Its last layers are linear in the channels, so that repeating their weights is exact.

    Raises:
        SettingsError: If ``g`` is not grey, or its last layer is of another kind (StyleGAN3).
    """
    weights = g.state_dict()
    if g.channels != 1 or not any(name.endswith(_RGB_LAYERS) for name in weights):
        raise SettingsError("only grey generators can be brought to three channels, "
                            "StyleGAN3's excepted")  # fmt: skip
    repeated = {
        name: weight.repeat_interleave(3, dim=0) if name.endswith(_RGB_LAYERS) else weight
        for name, weight in weights.items()
    }
    built = assemble(build_network, replace(g.config, channels=3), repeated, "in colour")
    if not isinstance(built, Generator):
        raise AssertionError("a generator's config describes a generator")
    return built
