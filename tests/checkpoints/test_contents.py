"""The same networks in every container and wrapping: one table."""

import argparse
import io
import pickle
import time
from collections import OrderedDict
from functools import cache

import pytest
import torch
from safetensors.torch import save

import latentlab
from latentlab import UnsupportedCheckpoint
from tests.conftest import make_discriminator, make_generator
from tests.support import foreign
from tests.support.attacks import call, finish, name, plain
from tests.support.snapshots import Persistent, as_module, official_names

RATE = {"mapping_lr_multiplier": 0.01, "conv_clamp": None}  # what no shape of these shows
SYNTHESIS = {"channel_base": 128, "channel_max": 8, "conv_clamp": None}
KWARGS = {"z_dim": 6, "c_dim": 0, "w_dim": 5, "img_resolution": 16, "img_channels": 3}
KWARGS |= {"mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": SYNTHESIS}
D_KWARGS = {"c_dim": 0, "img_resolution": 16, "img_channels": 3}
D_KWARGS |= {"channel_base": 128, "channel_max": 8}


def saved_by_torch(found, **settings):
    file = io.BytesIO()
    torch.save(found, file, **settings)
    return file.getvalue()


CONTAINERS = {
    "pickle of protocol 2": lambda found: pickle.dumps(found, 2),
    "pickle of protocol 4": lambda found: pickle.dumps(found, 4),
    "pickle of protocol 5": lambda found: pickle.dumps(found, 5),
    "torch.save": saved_by_torch,
    "torch.save before 1.6": lambda found: saved_by_torch(
        found, _use_new_zipfile_serialization=False
    ),
}


@cache
def generator():
    return make_generator()


@cache
def discriminator():
    return make_discriminator()


def official_g():
    return Persistent(generator(), "Generator", (), KWARGS)


def official_d():
    return Persistent(discriminator(), "Discriminator", (), D_KWARGS)


def prefixed(prefix, weights):
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


class DataParallel(torch.nn.Module):
    """The wrapper around a module: any class with one module of this name in it."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def psp(mean, opts=None):
    weights = prefixed("decoder.", foreign.rosinality_g())
    weights |= {"encoder.input_layer.0.weight": torch.ones(2, 3, 3, 3)}
    return {"state_dict": weights, "latent_avg": mean, "opts": opts or {"output_size": 16}}


MEAN = torch.arange(5.0)
ROSINALITY1 = foreign.rosinality1_g
ROSINALITY2 = foreign.rosinality_g
# What is saved -> (how it is made, the kind, our names of the networks).
NVIDIA = {
    "a module alone": (official_g, ["G_ema"]),
    "only G": (lambda: {"G": official_g()}, ["G"]),
    "only G_ema": (lambda: {"G_ema": official_g()}, ["G_ema"]),
    "G and D": (lambda: {"G": official_g(), "D": official_d()}, ["G", "D"]),
    "a whole snapshot": (
        lambda: {"G": official_g(), "D": official_d(), "G_ema": official_g(),
                 "augment_pipe": None, "training_set_kwargs": {"path": "x.zip"}},
        ["G_ema", "G", "D"],
    ),
    "another name": (lambda: {"netG_ema": official_g(), "iteration": 3}, ["G_ema"]),
    "in a dict": (lambda: {"models": {"G_ema": official_g()}, "step": 3}, ["G_ema"]),
    "in DataParallel": (lambda: DataParallel(as_torch(official_g())), ["G_ema"]),
}  # fmt: skip
OTHERS = {
    "a state dict": (lambda w: w, []),
    "an OrderedDict": (lambda w: OrderedDict(w), []),
    "by DataParallel": (lambda w: prefixed("module.", w), []),
    "compiled, by DataParallel": (lambda w: prefixed("module._orig_mod.", w), []),
    "a state dict in a dict": (lambda w: {"state_dict": w, "epoch": 3}, ["epoch"]),
    "deeper": (lambda w: {"a": {"models": {"net": prefixed("module.", w)}}, "b": 1}, ["b"]),
    "another name": (lambda w: {"netG_ema": w, "netG": w, "step": 3}, ["netG", "step"]),
    "a larger model's": (
        lambda w: {**prefixed("g_ema.", w), **prefixed("net_d.", {"a": MEAN})}, ["net_d"]
    ),
    "a module": (lambda w: as_module(w), []),
    "a module in DataParallel": (lambda w: DataParallel(as_module(w)), []),
    "a module in a dict": (lambda w: {"ema": as_module(w), "args": argparse.Namespace()}, ["args"]),
}  # fmt: skip
SYSTEMS = {
    "stylegan2-rosinality": ROSINALITY2,
    "stylegan1-rosinality": ROSINALITY1,
    "stylegan2-yuuho": foreign.yuuho2_g,
    "stylegan2-ada": lambda: dict(generator().state_dict()),
}


class _Wrapped(torch.nn.Module):
    """Lets a stand-in be a child of a torch module."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __reduce__(self):
        return self.inner.__reduce__()


as_torch = _Wrapped


def opened(found, container, tmp_path, assume=None):
    path = tmp_path / "model.bin"
    path.write_bytes(CONTAINERS[container](found))
    return latentlab.load(path, assume=assume)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("content", NVIDIA)
def test_modules_of_nvidias_releases(content, container, tmp_path, monkeypatch):
    make, names = NVIDIA[content]
    official_names(monkeypatch)
    checkpoint = opened(make(), container, tmp_path)
    assert checkpoint.kind == "stylegan2-ada"
    assert list(checkpoint.networks) == names
    z = torch.ones(1, 6)
    assert torch.equal(checkpoint.generator(z), generator()(z))
    if "D" in names:
        image = generator()(z)
        assert torch.equal(checkpoint.discriminator(image), discriminator()(image))


ONE_STATE_DICT = "stylegan2-yuuho"  # whose files name no networks
NAMED = ("another name", "a larger model's", "a module in a dict")


def combinations():
    """Every wrapping in every container for one system; for the others they take turns."""
    for kind in SYSTEMS:
        for i, wrapping in enumerate(OTHERS):
            if kind == ONE_STATE_DICT and wrapping in NAMED:
                continue
            every = kind == "stylegan2-rosinality"
            for k, container in enumerate(CONTAINERS):
                if every or (i + len(kind)) % len(CONTAINERS) == k:
                    yield kind, wrapping, container


@pytest.mark.parametrize(("kind", "wrapping", "container"), list(combinations()))
def test_state_dicts_of_known_systems(kind, wrapping, container, tmp_path):
    wrap, beside = OTHERS[wrapping]
    weights = SYSTEMS[kind]()
    assume = RATE if kind == "stylegan2-ada" else None
    bare = tmp_path / "bare.pt"
    torch.save(weights, bare)
    expected = latentlab.load(bare, assume=assume)
    checkpoint = opened(wrap(weights), container, tmp_path, assume)
    assert checkpoint.kind == expected.kind == kind
    z = torch.ones(1, expected.generator.z_dim)
    assert torch.equal(checkpoint.generator(z), expected.generator(z))
    told = [*checkpoint.metadata.get("ignored", []), *checkpoint.metadata.get("training", {})]
    if kind != ONE_STATE_DICT:
        assert [name for name in beside if name not in told] == []


@pytest.mark.parametrize(("kind", "prefix"), [
    *((kind, prefix) for kind in SYSTEMS for prefix in ("", "module.")),
    *((kind, "g_ema.") for kind in SYSTEMS if kind != ONE_STATE_DICT),
])  # fmt: skip
def test_safetensors_files_of_others_open(kind, prefix, tmp_path):
    weights = {name: tensor.clone() for name, tensor in SYSTEMS[kind]().items()}
    torch.save(weights, tmp_path / "bare.pt")
    (tmp_path / "x.safetensors").write_bytes(save(prefixed(prefix, weights)))
    assume = RATE if kind == "stylegan2-ada" else None
    expected = latentlab.load(tmp_path / "bare.pt", assume=assume)
    checkpoint = latentlab.load(tmp_path / "x.safetensors", assume=assume)
    assert checkpoint.kind == kind
    z = torch.ones(1, expected.generator.z_dim)
    image = checkpoint.generator(z)
    assert torch.equal(image, expected.generator(z))
    # It does not depend on the file any more, which would be mapped into memory.
    (tmp_path / "x.safetensors").write_bytes(bytes(1))
    assert torch.equal(checkpoint.generator(z), image)


def test_averages_come_before_what_was_last_trained(tmp_path):
    found = {"netG": foreign.rosinality_g(seed=1), "netG_smooth": foreign.rosinality_g(seed=2)}
    torch.save(found, tmp_path / "x.pt")
    torch.save(found["netG_smooth"], tmp_path / "bare.pt")
    a, b = (latentlab.load(tmp_path / name).generator for name in ("x.pt", "bare.pt"))
    assert torch.equal(a(torch.ones(1, 5)), b(torch.ones(1, 5)))


@pytest.mark.parametrize("found", [
    {f"key{i}": {"a": {"b": {"c": i}}} for i in range(3000)},
    {f"k{i}.conv1.conv.modulation.weight": i for i in range(60_000)},
    {f"a{i}": {f"b{k}": {} for k in range(200)} for i in range(200)},
    {"module." * 2000: 1}, {"module.module.module.module.x": {"y": 1}},
    {"module": {"module": {"module": {"module": {"module": foreign.rosinality_g()}}}}},
])  # fmt: skip
def test_the_search_ends_soon(found, tmp_path):
    torch.save(found, tmp_path / "x.pt")
    with pytest.raises(UnsupportedCheckpoint, match="not a StyleGAN checkpoint"):
        latentlab.load(tmp_path / "x.pt")


def test_modules_around_a_large_dict_are_not_gone_through_each_time(tmp_path):
    """Nothing was found in it, and looking cost a copy each time that it was met."""
    large = plain({f"module.{i}": None for i in range(50_000)}) + b"r\0\1\0\0"
    state = {"_modules": {"module": b"j\0\1\0\0"}, "_parameters": {}, "_buffers": {}}
    module = call(name("mine", "Wrapper")) + plain(state) + b"br\1\1\0\0"
    roles = dict.fromkeys(("g_ema", "G_ema", "g", "G", "generator", "GE"), b"j\1\1\0\0")
    found = {"x": large, "y": module, **{f"level{i}": roles for i in range(150)}}
    (tmp_path / "x.pkl").write_bytes(finish(plain(found)))
    started = time.monotonic()
    with pytest.raises(UnsupportedCheckpoint, match="not a StyleGAN checkpoint"):
        latentlab.load(tmp_path / "x.pkl")
    assert time.monotonic() - started < 10


def test_a_dict_within_itself(tmp_path):
    found = {"a": {"b": {}}}
    found["a"]["b"]["a"] = found
    found["a"]["b"]["b"] = found["a"]
    torch.save(found, tmp_path / "x.pt")
    with pytest.raises(UnsupportedCheckpoint, match=r"found a file of torch\.save with keys 'a'"):
        latentlab.load(tmp_path / "x.pt")
