"""Writes Projected GAN's FastGAN snapshots: stand-in classes under its module names.

Modules and spectral norm are torch's own, so that the files have the genuine form. What belongs to
labels follows the description of conditional generators (class tables, norms by class, one noise
for both layers of a block).
"""

import pickle
import sys
import types

import torch
from torch import nn
from torch.nn.utils import spectral_norm

NETWORKS, BLOCKS = "pg_modules.networks_fastgan", "pg_modules.blocks"
SCALES = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25}


def _make(module, name):
    return type(name, (nn.Module,), {"__module__": module, "__qualname__": name})


CLASSES = {
    name: _make(module, name)
    for module, names in (
        (NETWORKS, ["Generator", "DummyMapping", "FastganSynthesis", "FastganSynthesisCond"]),
        (BLOCKS, ["InitLayer", "SEBlock", "GLU", "Swish", "NoiseInjection", "CCBN",
                  "UpBlockSmallCond", "UpBlockBigCond"]),
        ("pg_modules.discriminator", ["ProjectedDiscriminator"]),
        ("timm.models.efficientnet", ["EfficientNet"]),
    )
    for name in names
}  # fmt: skip


def tree(name, children=(), **attributes):
    """A module of a stand-in class; children by name."""
    module = CLASSES[name]()
    for key, child in dict(children).items():
        module.add_module(key, child)
    for key, value in attributes.items():
        setattr(module, key, value)
    return module


def conv(maps_in, maps, size=3, pad=1, bias=False):
    return spectral_norm(nn.Conv2d(maps_in, maps, size, 1, pad, bias=bias))


def noise():
    module = CLASSES["NoiseInjection"]()
    module.weight = nn.Parameter(torch.zeros(1))
    return module


def class_norm(maps, features, bias):
    parts = {name: spectral_norm(nn.Linear(features, maps, bias=bias)) for name in ("gain", "bias")}
    module = tree("CCBN", parts, output_size=maps, input_size=features)
    module.register_buffer("stored_mean", torch.zeros(maps))
    module.register_buffer("stored_var", torch.ones(maps))
    return module


def block(maps_in, maps, lite, features, bias):
    """An upsampling block; ``features`` of the class, or None for a block without labels."""
    up, gate = nn.Upsample(scale_factor=2, mode="nearest"), CLASSES["GLU"]()
    first, second = conv(maps_in, 2 * maps), conv(maps, 2 * maps)
    if features is None and lite:
        return nn.Sequential(up, first, nn.BatchNorm2d(2 * maps), gate)
    if features is None:
        norms = [nn.BatchNorm2d(2 * maps) for _ in range(2)]
        return nn.Sequential(up, first, noise(), norms[0], gate,
                             second, noise(), norms[1], CLASSES["GLU"]())  # fmt: skip
    if lite:
        norm = class_norm(2 * maps, features, bias)
        return tree("UpBlockSmallCond", {"up": up, "conv": first, "bn": norm, "act": gate})
    norms = [class_norm(2 * maps, features, bias) for _ in range(2)]
    return tree("UpBlockBigCond", {"up": up, "conv1": first, "conv2": second, "bn1": norms[0],
                                   "bn2": norms[1], "act": gate, "noise": noise()})  # fmt: skip


def gate_of(maps_in, maps):
    layers = nn.Sequential(nn.AdaptiveAvgPool2d(4), conv(maps_in, maps, 4, 0), CLASSES["Swish"](),
                           conv(maps, maps, 1, 0), nn.Sigmoid())  # fmt: skip
    return tree("SEBlock", {"main": layers})


def generator(resolution=128, lite=False, c_dim=0, z_dim=4, ngf=4, classes=None, bias=True, seed=0):
    """A generator with every parameter and buffer off its initial value.

    ``classes`` are the rows of its table, of which the label uses the first ``c_dim``.
    """
    maps = {size: int(ngf * scale) for size, scale in SCALES.items()}
    features = z_dim if c_dim else None
    first = nn.Sequential(spectral_norm(nn.ConvTranspose2d(z_dim, 2 * maps[4], 4, bias=False)),
                          nn.BatchNorm2d(2 * maps[4]), CLASSES["GLU"]())  # fmt: skip
    children = {"embed": nn.Embedding(classes or c_dim, z_dim)} if c_dim else {}
    children["init"] = tree("InitLayer", {"init": first})
    sizes = [size for size in SCALES if 8 <= size <= max(256, resolution)]
    for size in sizes:
        children[f"feat_{size}"] = block(maps[size // 2], maps[size], lite, features, bias)
    for size in sizes:
        if size >= 64:
            children[f"se_{size}"] = gate_of(maps[size // 16], maps[size])
    children["to_big"] = conv(maps[resolution], 3, bias=True)
    synthesis = tree("FastganSynthesisCond" if c_dim else "FastganSynthesis", children,
                     img_resolution=resolution, z_dim=z_dim)  # fmt: skip
    g = tree(
        "Generator",
        {"mapping": CLASSES["DummyMapping"](), "synthesis": synthesis},
        z_dim=z_dim,
        c_dim=c_dim,
        w_dim=0,
        img_resolution=resolution,
        img_channels=3,
    )
    _randomise(g, seed)
    return g.eval().requires_grad_(False)


def _randomise(g, seed):
    rng = torch.Generator().manual_seed(seed)
    for name, tensor in g.state_dict().items():
        if not tensor.is_floating_point():
            tensor.fill_(2)
        elif name.endswith("var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=rng))
        else:
            tensor.add_(torch.randn(tensor.shape, generator=rng) * 0.2)
    for module in g.modules():
        if hasattr(module, "weight_orig"):
            _near_the_largest(module, rng)


def _near_the_largest(module, rng):
    """Set the vectors of spectral norm as after some training: not quite the singular ones."""
    weight = module.weight_orig.detach()
    swapped = isinstance(module, nn.ConvTranspose2d)
    left, _, right = torch.linalg.svd((weight.transpose(0, 1) if swapped else weight).flatten(1))
    for vector, exact in ((module.weight_u, left[:, 0]), (module.weight_v, right[0])):
        vector.copy_(exact + torch.randn(exact.shape, generator=rng) * (0.2 / len(exact) ** 0.5))


def discriminator():
    """One of other people's networks, in training and with a gradient hook of its own."""
    net = tree("EfficientNet", {"conv_stem": nn.Conv2d(3, 4, 3), "act": nn.SiLU()})
    d = tree("ProjectedDiscriminator", {"feature_network": net}, diffaug=True)
    return d.train()


def write(path, found, monkeypatch, protocol=4):
    """Pickle ``found`` with the stand-ins under the original module names."""
    for made in CLASSES.values():
        parts = made.__module__.split(".")
        for i in range(1, len(parts) + 1):
            place = ".".join(parts[:i])
            if place not in sys.modules:
                monkeypatch.setitem(sys.modules, place, types.ModuleType(place))
        monkeypatch.setattr(sys.modules[made.__module__], made.__name__, made, raising=False)
    path.write_bytes(pickle.dumps(found, protocol))
    return path
