"""Writes pickles as the TensorFlow releases do: stand-in classes under their module names.

Names, shapes and values of the variables come from tf_stylegan1 and tf_stylegan2.
"""

import pickle
import sys
import types

import numpy as np

from tests.support.tensorflow.ops import Scope
from tests.support.tensorflow.stylegan1 import d_basic, g_paper, g_style
from tests.support.tensorflow.stylegan2 import d_stylegan, d_stylegan2, g_main

SOURCE = "raise RuntimeError('the source text of a checkpoint was run')"
# What the whole generator keeps to itself and does not hand on to its sub-networks.
_OWN = {"truncation_psi", "truncation_cutoff", "dlatent_avg_beta", "style_mixing_prob",
        "synthesis_func", "mapping_func"}  # fmt: skip


class Network:
    """Stands for the class of the released code; pickled as an empty object and its state."""

    def __init__(self, function, variables, kwargs, name="Gs", version=3, components=None,
                 source=SOURCE):  # fmt: skip
        self.state = {
            "version": version,
            "name": name,
            "static_kwargs": kwargs,
            "components": EasyDict(components or {}),
            "build_module_src": source,
            "build_func_name": function,
            "variables": list(variables.items()),
        }

    def __getstate__(self):
        return self.state

    def part(self, name):
        """The state of a sub-network."""
        return self.state["components"][name].state


class OriginalNetwork(Network):
    """The class of Progressive GAN's first release, without sub-networks."""

    def __getstate__(self):
        return {key: value for key, value in self.state.items() if key != "components"}


class EasyDict(dict):
    pass


_HOMES = {"dnnlib.tflib.network": Network, "tfutil": OriginalNetwork, "dnnlib.util": EasyDict}
for _place, _class in _HOMES.items():
    _class.__module__ = _place
OriginalNetwork.__name__ = OriginalNetwork.__qualname__ = "Network"


def composed(function, synthesis, variables, kwargs, **rest):
    """A network of two others, whose variables carry their names."""
    parts = {}
    for part, built_by in (("synthesis", synthesis), ("mapping", "G_mapping")):
        own = {key.removeprefix(f"{part}/"): value for key, value in variables.items()
               if key.startswith(f"{part}/")}  # fmt: skip
        handed_on = {key: value for key, value in kwargs.items() if key not in _OWN}
        if part == "mapping":
            handed_on = {"dlatent_broadcast": 8, **handed_on}
        parts[part] = Network(built_by, own, handed_on, name=f"G_{part}")
    own = {key: value for key, value in variables.items() if "/" not in key}
    return Network(function, own, kwargs, components=parts, **rest)


def write_pickle(path, found, monkeypatch, protocol=4):
    """Pickle ``found`` with the stand-ins under the released module names."""
    for place, called in _HOMES.items():
        parents = place.split(".")[:-1]
        for i in range(len(parents)):
            parent = ".".join(parents[: i + 1])
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        module = types.ModuleType(place)
        setattr(module, called.__name__, called)
        monkeypatch.setitem(sys.modules, place, module)
    path.write_bytes(pickle.dumps(found, protocol))
    return path


# Small networks with random variables, and what they compute.

GENERATOR = {"resolution": 16, "latent_size": 6, "dlatent_size": 5, "mapping_fmaps": 7,
             "mapping_layers": 2, "fmap_base": 24, "fmap_max": 8}  # fmt: skip
PAPER = {"resolution": 16, "num_channels": 3, "latent_size": 6, "fmap_base": 24, "fmap_max": 8}
DISCRIMINATOR = {"resolution": 16, "num_channels": 3, "fmap_base": 24, "fmap_max": 8}
_ROWS = 4


def labels_for(kwargs, seed=2):
    """Real-valued labels [4,label_size]: nothing in the networks asks for one-hot ones."""
    return np.random.RandomState(seed).randn(_ROWS, kwargs.get("label_size", 0))


def make_generator(function="G_style", lod=0.0, seed=0, **changes):
    """A generator, its latents and labels, and the images of it, untruncated and at psi 0.7."""
    base = PAPER if function == "G_paper" else GENERATOR
    kwargs = {**base, **changes}
    z = (
        np.random.RandomState(1)
        .randn(_ROWS, kwargs["latent_size"])
        .astype(np.float32)
        .astype(np.float64)
    )
    c = labels_for(kwargs)
    scope = Scope(rng=np.random.RandomState(seed))
    if function == "G_paper":
        images = [g_paper(scope, z, c, lod, **kwargs)]
        return Network("G_paper", scope.variables, kwargs), z, c, images
    compute = g_style if function == "G_style" else g_main
    images = [compute(scope, z, c, lod, psi, **kwargs) for psi in (None, 0.7)]
    synthesis = "G_synthesis" if function == "G_style" else None
    synthesis = synthesis or kwargs.get("synthesis_func", "G_synthesis_stylegan2")
    return composed(function, synthesis, scope.variables, kwargs), z, c, images


def make_discriminator(function="D_basic", lod=0.0, seed=3, **changes):
    """A discriminator, images and labels, and its scores of them."""
    kwargs = {**DISCRIMINATOR, **changes}
    size, channels = kwargs["resolution"], kwargs["num_channels"]
    x = (
        np.random.RandomState(4)
        .randn(_ROWS, channels, size, size)
        .astype(np.float32)
        .astype(np.float64)
    )
    c = labels_for(kwargs, 5)
    scope = Scope(rng=np.random.RandomState(seed))
    if function in ("D_basic", "D_paper"):
        scores = d_basic(scope, x, c, lod, paper=function == "D_paper", **kwargs)
    elif function == "D_stylegan":
        scores = d_stylegan(scope, x, c, lod, **kwargs)
    else:
        scores = d_stylegan2(scope, x, c, ada=function == "D_main", **kwargs)
    return Network(function, scope.variables, kwargs, name="D"), x, c, scores
