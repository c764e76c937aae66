"""The loader that docs/convert.md gives for NVIDIA's repositories, with stand-ins for theirs."""

import pickle
import sys
import types
from dataclasses import replace

import pytest
import torch

import latentlab
from latentlab.checkpoints.systems.nvidia_stylegan3 import stylegan3_config
from latentlab.checkpoints.systems.nvidia_torch import discriminator_config, generator_config
from latentlab.networks.discriminators import StyleGAN2Discriminator
from tests.conftest import make_discriminator, make_generator, make_stylegan3
from tests.support.documentation import text_of

LOADER = text_of("docs/convert.md").partition("```python take.py\n")[2].partition("```")[0]
MODULE = "training.networks"


class Generator(latentlab.Generator):
    """Takes the arguments of stylegan2-ada-pytorch's, and no others."""

    def __init__(
        self, z_dim, c_dim, w_dim, img_resolution, img_channels, mapping_kwargs=None,
        synthesis_kwargs=None,
    ):  # fmt: skip
        given = {name: value for name, value in locals().items() if name[0] not in "s_"}
        super().__init__(generator_config(given | {"synthesis_kwargs": synthesis_kwargs}, "G"))


class Discriminator(StyleGAN2Discriminator):
    """Takes the arguments of stylegan2-ada-pytorch's, and no others."""

    def __init__(
        self, c_dim, img_resolution, img_channels, architecture="resnet", channel_base=32768,
        channel_max=512, num_fp16_res=0, conv_clamp=None, cmap_dim=None, block_kwargs=None,
        mapping_kwargs=None, epilogue_kwargs=None,
    ):  # fmt: skip
        given = {name: value for name, value in locals().items() if name[0] not in "s_"}
        super().__init__(discriminator_config({k: v for k, v in given.items()
                                               if v is not None}, "D"))  # fmt: skip


class Generator3(latentlab.Generator):
    """Takes the arguments of stylegan3's, which has most of them one by one."""

    def __init__(
        self, z_dim, c_dim, w_dim, img_resolution, img_channels, mapping_kwargs=None,
        **synthesis_kwargs,
    ):  # fmt: skip
        given = {"z_dim": z_dim, "c_dim": c_dim, "w_dim": w_dim, "img_resolution": img_resolution,
                 "img_channels": img_channels, "mapping_kwargs": mapping_kwargs}  # fmt: skip
        super().__init__(stylegan3_config(given | synthesis_kwargs, "G"))


@pytest.fixture
def taken(tmp_path, monkeypatch):
    """Run the loader in what passes for NVIDIA's repository, and return the snapshot."""

    def run(source, generator):
        latentlab.export(source, tmp_path / "state.pt", "nvidia-state")
        module = types.ModuleType(MODULE)
        module.Generator, module.Discriminator = generator, Discriminator
        monkeypatch.setitem(sys.modules, "training", types.ModuleType("training"))
        monkeypatch.setitem(sys.modules, MODULE, module)
        arguments = ["take.py", str(tmp_path / "state.pt"), str(tmp_path / "new.pkl")]
        monkeypatch.setattr(sys, "argv", arguments)
        exec(LOADER, {})
        with (tmp_path / "new.pkl").open("rb") as file:
            return pickle.load(file)

    return run


@pytest.mark.parametrize(("make", "generator"), [
    (lambda: make_generator(c_dim=2, conv_clamp=256.0, use_noise=False), Generator),
    (lambda: make_generator(architecture="orig", resample_filter=(1.0, 2.0, 1.0)), Generator),
    (lambda: make_stylegan3(c_dim=2), Generator3),
])  # fmt: skip
def test_the_loader_makes_a_snapshot(make, generator, taken):
    g = make()
    snapshot = taken(g, generator)
    assert list(snapshot) == ["G", "D", "G_ema"]
    assert snapshot["G"] is snapshot["G_ema"]
    assert isinstance(snapshot["D"], torch.nn.Module)
    z, c = torch.ones(2, 6), torch.eye(2) if g.c_dim else None
    assert torch.equal(snapshot["G_ema"](z, c), g(z, c))


def test_the_loader_takes_all_networks(tmp_path, taken):
    latentlab.save(make_generator(c_dim=2), tmp_path / "g.safetensors")
    opened = latentlab.load(tmp_path / "g.safetensors")
    networks = {"G_ema": opened.generator, "G": make_generator(1, c_dim=2),
                "D": make_discriminator(c_dim=2, mbstd_group_size=None)}  # fmt: skip
    snapshot = taken(replace(opened, networks=networks), Generator)
    z, c = torch.ones(2, 6), torch.eye(2)
    for name in ("G", "G_ema"):
        assert torch.equal(snapshot[name](z, c), networks[name](z, c))
    picture = torch.ones(2, 3, 16, 16)
    assert torch.equal(snapshot["D"](picture, c), networks["D"](picture, c))


def test_the_loader_is_short():
    assert len([line for line in LOADER.splitlines() if line]) <= 11
