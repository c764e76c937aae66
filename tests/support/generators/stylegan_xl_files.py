"""Writes StyleGAN-XL snapshots: modules that describe themselves, arrays as dill writes them."""

import pickle
import sys
import types

import numpy as np
from torch import nn

from tests.support.snapshots import Persistent, write_snapshot


def _create_array(*_):
    raise AssertionError("a checkpoint was unpickled")


class DillArray:
    """An array as dill writes one: a call with the array's maker, its arguments, and its state."""

    def __init__(self, array, attributes=None):
        self.array, self.attributes = np.asarray(array), attributes

    def __reduce__(self):
        make, made_of, state = self.array.__reduce__()
        return _create_array, (make, made_of, state, self.attributes)


def described(g, class_name="Generator"):
    """A generator of ours as the original code would hold it, attributes and all."""
    config, whole = g.config, Persistent(g, class_name)
    mapping, synthesis = (whole.state["_modules"][name] for name in ("mapping", "synthesis"))
    mapping.state |= {"z_dim": config.z_dim, "c_dim": config.c_dim, "w_dim": config.w_dim,
                      "num_ws": config.num_ws, "num_layers": config.mapping_layers}  # fmt: skip
    for name, layer in mapping.state["_modules"].items():
        rate = config.mapping_lr_multiplier if name.startswith("fc") else 1
        layer.state |= {"activation": "lrelu", "bias_gain": rate}
    # The table of classes is torch's own, and there without labels, too.
    table = nn.Embedding(*(config.label_table or (4, 7)))
    if config.label_table:
        table.weight = g.mapping.embed.weight
    mapping.state["_modules"]["embed"] = table
    synthesis.state |= {
        "num_ws": config.num_ws, "img_resolution": config.resolution,
        "img_channels": config.channels, "output_scale": config.output_scale,
        "layer_names": list(g.synthesis.layer_names),
    }  # fmt: skip
    first = config.input_signal
    synthesis.state["_modules"]["input"].state |= {
        "size": DillArray([first.size] * 2), "sampling_rate": np.float64(first.rate),
        "bandwidth": np.float64(first.cutoff), "channels": first.maps,
    }  # fmt: skip
    for geometry in config.layers():
        synthesis.state["_modules"][geometry.name].state |= _layer(geometry, config)
    return whole


def _layer(geometry, config):
    source, target = geometry.source, geometry.target
    return {
        "is_torgb": geometry.is_rgb, "in_channels": source.maps, "out_channels": target.maps,
        "in_size": DillArray([source.size] * 2), "out_size": DillArray([target.size] * 2),
        "conv_kernel": geometry.kernel, "conv_clamp": config.conv_clamp,
        "up_factor": geometry.up, "down_factor": geometry.down,
        "padding": [*geometry.pad, *geometry.pad],
    }  # fmt: skip


def attributes(whole, *path):
    """The attributes of a module of ``described``, to be changed."""
    for name in path:
        whole = whole.state["_modules"][name]
    return whole.state


def write(path, found, monkeypatch, dill="dill._dill"):
    """Pickle ``found`` with the stand-ins under the original module names."""
    for place in ("dill", dill):
        monkeypatch.setitem(sys.modules, place, types.ModuleType(place))
    sys.modules[dill]._create_array = _create_array
    _create_array.__module__ = dill
    write_snapshot(path, {}, monkeypatch)  # its stand-ins
    path.write_bytes(pickle.dumps(found, 4))
    return path
