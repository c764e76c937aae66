"""What all systems of genforce/genforce have in common: parity, and how files hold networks."""

import pytest
import torch

import latentlab
from latentlab import CheckpointError
from tests.conftest import (
    make_discriminator,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan1_discriminator,
)
from tests.support import renamed
from tests.support.second_set import assert_images, assert_same_after_saving, opened
from tests.support.tolerances import SCORE

_PROGAN_D = {"blur_filter": None, "fused_from": None, "halves_last": True, "mbstd_group_size": 16}


def stylegan2():
    return make_generator(), make_discriminator(), renamed.genforce2_g, renamed.genforce2_d


def stylegan1():
    d = make_stylegan1_discriminator()
    return make_stylegan1(), d, renamed.genforce1_g, renamed.genforce1_d


def progan():
    g = make_progan(fused_from=None, channel_table=(8, 8, 6))
    d = make_stylegan1_discriminator(**_PROGAN_D)
    return g, d, renamed.genforce_pggan_g, renamed.genforce_pggan_d


@pytest.fixture(params=["stylegan2", "stylegan1", "progan"])
def system(request):
    """The kind, networks of ours, and the same networks as that code's three state dicts."""
    g, d, as_g, as_d = {"stylegan2": stylegan2, "stylegan1": stylegan1, "progan": progan}[
        request.param
    ]()
    parts = {"generator": as_g(g), "discriminator": as_d(d), "generator_smooth": as_g(g)}
    return f"{request.param}-genforce", g, d, parts


@pytest.fixture(scope="module", params=["stylegan2", "stylegan1", "pggan"])
def genuine(request, shared):
    """A genuine file, and that code's outputs."""
    return opened(shared, f"genforce_{request.param}_32.pth")


class TestParity:
    def test_images_and_scores(self, genuine):
        checkpoint, ref = genuine
        assert_images(checkpoint.generator(ref["z"]), ref, "img")
        assert_images(checkpoint.raw_generator(ref["z"]), ref, "img_generator_not_smooth")
        score = checkpoint.discriminator(ref["img"])
        torch.testing.assert_close(score, ref["d_n4"], atol=SCORE, rtol=0)

    @pytest.mark.parametrize("lod", ["1", "1.5", "3"])
    def test_images_of_a_network_that_grows(self, lod, genuine):
        checkpoint, ref = genuine
        synthesis = checkpoint.generator.synthesis
        assert synthesis.growing == (f"img_lod{lod}" in ref)
        if not synthesis.growing:
            return
        synthesis.set_lod(float(lod))
        try:
            assert_images(checkpoint.generator(ref["z"][:2]), ref, f"img_lod{lod}")
        finally:
            synthesis.set_lod(0)

    def test_a_native_copy_computes_the_same_bits(self, genuine, tmp_path):
        checkpoint, ref = genuine
        psi = 0.7 if checkpoint.generator.has_w else 1.0
        assert_same_after_saving(
            checkpoint,
            tmp_path / "copy.safetensors",
            lambda c: c.generator(ref["z"], truncation_psi=psi),
            lambda c: c.raw_generator(ref["z"]),
            lambda c: c.discriminator(ref["img"]),
        )


def prefixed(parts):
    return {
        key: {f"module.{name}": tensor for name, tensor in part.items()}
        for key, part in parts.items()
    }


def assert_opens(path, system, networks):
    kind, g, d, _ = system
    checkpoint = latentlab.load(path)
    assert checkpoint.kind == kind
    assert list(checkpoint.networks) == networks
    z = torch.randn(2, g.z_dim)
    torch.testing.assert_close(checkpoint.generator(z), g(z), atol=1e-5, rtol=0)
    if "D" in networks:
        images = torch.randn(4, 3, 16, 16)
        assert torch.equal(checkpoint.discriminator(images), d(images))
    return checkpoint


ALL = ["G_ema", "G", "D"]


def test_all_three_networks(system, torch_saved):
    checkpoint = assert_opens(torch_saved(**system[3]), system, ALL)
    assert "ignored" not in checkpoint.metadata


def test_the_average_alone(system, torch_saved):
    path = torch_saved(generator_smooth=system[3]["generator_smooth"])
    assert_opens(path, system, ["G_ema"])


def test_the_last_trained_alone(system, torch_saved):
    checkpoint = assert_opens(torch_saved(generator=system[3]["generator"]), system, ["G"])
    assert checkpoint.generator is checkpoint.raw_generator


def test_a_bare_state_dict(system, tmp_path):
    torch.save(system[3]["generator_smooth"], tmp_path / "model.pt")
    assert_opens(tmp_path / "model.pt", system, ["G_ema"])


def test_a_training_run(system, torch_saved):
    optim = {"generator": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}}}
    path = torch_saved(
        models=system[3],
        running_metadata={"iter": 10, "seen_img": 640},
        optimizers=optim,
        learning_rates={"generator": {"last_epoch": 10}},
    )
    checkpoint = assert_opens(path, system, ALL)
    training = checkpoint.metadata["training"]
    assert training["running_metadata"] == {"iter": 10, "seen_img": 640}
    assert checkpoint.metadata["ignored"] == ["optimizers"]


@pytest.mark.parametrize("nested", [False, True])
def test_names_of_distributed_training(nested, system, torch_saved):
    parts = prefixed(system[3])
    assert_opens(torch_saved(**({"models": parts} if nested else parts)), system, ALL)


def test_a_prefix_that_not_all_names_have_is_no_prefix(system, torch_saved):
    parts = prefixed(system[3])
    parts["generator"]["stray"] = torch.ones(1)
    with pytest.raises(CheckpointError, match="generator: "):
        latentlab.load(torch_saved(**parts))


def test_a_strange_discriminator_is_left_aside(system, torch_saved):
    strange = {"features.0.weight": torch.ones(3, 3)}
    path = torch_saved(**{**system[3], "discriminator": strange})
    checkpoint = assert_opens(path, system, ["G_ema", "G"])
    assert "discriminator" in checkpoint.metadata["ignored"]


@pytest.mark.parametrize("part", [torch.ones(2), [1], 3])
def test_networks_that_are_no_state_dict(part, system, torch_saved):
    with pytest.raises(CheckpointError, match="discriminator is not a state dict"):
        latentlab.load(torch_saved(generator=system[3]["generator"], discriminator=part))


def test_what_is_saved_opens_with_the_same_bits(system, torch_saved, tmp_path):
    checkpoint = latentlab.load(torch_saved(**system[3]))
    latentlab.save(checkpoint, tmp_path / "copy.safetensors")
    copy = latentlab.load(tmp_path / "copy.safetensors")
    z, images = torch.randn(2, system[1].z_dim), torch.randn(4, 3, 16, 16)
    assert torch.equal(copy.generator(z), checkpoint.generator(z))
    assert torch.equal(copy.discriminator(images), checkpoint.discriminator(images))
