"""Writes snapshots as stylegan2-ada-pytorch does: stand-in classes under its module names.

The weights are pickled by torch itself, the rest by Python's pickle, so that the files have the
genuine form in every protocol.
"""

import pickle
import sys
import types

import torch

SOURCE = "raise RuntimeError('the source text of a checkpoint was run')"


def _reconstruct_persistent_obj(meta):
    raise AssertionError("a checkpoint was unpickled")


class EasyDict(dict):
    pass


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
EasyDict.__module__ = "dnnlib.util"


class Persistent:
    """Stands for one module of the official code."""

    def __init__(self, module, class_name, args=(), kwargs=None):
        self.class_name = class_name
        self.state = {
            "training": False,
            "_parameters": dict(module._parameters),
            "_buffers": dict(module._buffers),
            "_non_persistent_buffers_set": set(module._non_persistent_buffers_set),
            "_backward_hooks": module._backward_hooks,
            "_modules": {
                key: None if child is None else Persistent(child, type(child).__name__)
                for key, child in module._modules.items()
            },
            "_init_args": args,
            "_init_kwargs": easy(kwargs or {}),
        }

    def __reduce__(self):
        meta = {"type": "class", "version": 6, "module_src": SOURCE}
        meta |= {"class_name": self.class_name, "state": self.state}
        return _reconstruct_persistent_obj, (meta,)


def easy(value):
    """Dicts as the official code's EasyDict, all the way down."""
    if isinstance(value, dict):
        return EasyDict({key: easy(item) for key, item in value.items()})
    return value


def official_names(monkeypatch):
    """Put the stand-ins under the official module names, where pickling looks for them."""
    for place, called in (
        ("torch_utils.persistence", _reconstruct_persistent_obj), ("dnnlib.util", EasyDict)
    ):  # fmt: skip
        package = place.split(".")[0]
        module = types.ModuleType(place)
        setattr(module, called.__name__, called)
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, place, module)


def write_snapshot(path, found, monkeypatch, protocol=4):
    """Pickle ``found`` with the stand-ins under the official module names."""
    official_names(monkeypatch)
    path.write_bytes(pickle.dumps(found, protocol))
    return path


class Part(torch.nn.Module):
    """A module of an ordinary class, pickled in the ordinary way."""


def as_module(weights, kind=Part):
    """Return modules within modules whose state dict this is."""
    root = kind()
    for name, tensor in weights.items():
        *path, last = name.split(".")
        module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, kind())
            module = module._modules[part]
        module.register_parameter(last, torch.nn.Parameter(tensor, requires_grad=False))
    return root
