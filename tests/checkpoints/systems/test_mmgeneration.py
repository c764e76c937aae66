"""StyleGAN2 files of MMGeneration and MMagic against that code's own outputs."""

import pytest
import torch

import latentlab
from latentlab import CheckpointError, SettingsError, UnsupportedCheckpoint
from tests.conftest import make_discriminator, make_generator
from tests.support import renamed
from tests.support.refusals import assert_refused
from tests.support.second_set import assert_images, assert_same_after_saving, opened
from tests.support.tolerances import W


def make_g(**changes):
    return make_generator(**{"z_dim": 5, **changes})


def file_of(**networks):
    """A file as their runner writes it: one state dict with prefixes, and what is beside it."""
    named = {
        f"{prefix}.{name}": tensor
        for prefix, part in networks.items()
        for name, tensor in part.items()
    }
    return {"meta": {"mmgen_version": "0.7.3", "iter": 10, "epoch": 1}, "state_dict": named}


@pytest.fixture(scope="module")
def genuine(shared):
    return opened(shared, "mmgen_stylegan2_32.pth")


class TestParity:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "stylegan2-mmgeneration"
        assert list(checkpoint.networks) == ["G_ema", "G"]
        g = checkpoint.generator
        assert (g.resolution, g.channels, g.z_dim, g.w_dim, g.num_ws) == (32, 3, 16, 16, 8)
        assert g.config.channel_table == (12, 12, 12, 8)
        order, mean = checkpoint.metadata["notes"]
        assert "channel_order" in order
        assert "4096 random w" in mean
        assert checkpoint.metadata["training"]["meta"]["mmgen_version"] == "0.7.3"

    def test_images(self, genuine):
        checkpoint, ref = genuine
        g = checkpoint.generator
        ws = g.mapping(ref["z"])
        torch.testing.assert_close(ws[:, 0], ref["w"], atol=W, rtol=0)
        assert_images(g(ref["z"]), ref, "img_const_noise")
        assert_images(g.synthesis(ref["wplus"]), ref, "img_wplus")
        mixed = torch.cat([ws[:2, :4], ws[2:4, 4:]], dim=1)
        assert_images(g.synthesis(mixed), ref, "img_mix_inject4")
        assert_images(checkpoint.raw_generator(ref["z"][:2]), ref, "img_generator_not_ema")

    def test_truncated_images(self, genuine):
        """About the mean that their reference was given, which no file holds."""
        checkpoint, ref = genuine
        mean = checkpoint.generator.mapping.w_avg
        ours = mean.clone()
        mean.copy_(ref["truncation_latent"][0])
        try:
            image = checkpoint.generator(ref["z"], truncation_psi=0.7)
        finally:
            mean.copy_(ours)
        assert_images(image, ref, "img_psi07")

    def test_a_native_copy_computes_the_same_bits(self, genuine, tmp_path):
        checkpoint, ref = genuine
        assert_same_after_saving(
            checkpoint,
            tmp_path / "copy.safetensors",
            lambda c: c.generator(ref["z"], truncation_psi=0.7),
            lambda c: c.raw_generator(ref["z"]),
        )


class TestVariants:
    """Networks of ours under their names come back as they were."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"resolution": 4, "channel_table": (3,)},
            {"channels": 1, "mapping_layers": 1},
            {"channel_table": (8, 6, 4)},
            {"mapping_layers": 0},
        ],
    )
    def test_generators(self, changes, torch_saved):
        g = make_g(**changes)
        found = latentlab.load(torch_saved(**file_of(generator_ema=renamed.mmgeneration_g(g))))
        z = torch.randn(2, g.z_dim)
        assert torch.equal(found.generator(z), g(z))

    @pytest.mark.parametrize("embed", [5, 7])
    def test_a_generator_of_mmagic_with_labels(self, embed, torch_saved):
        g = make_g(z_dim=6, c_dim=3, embed_features=embed)
        theirs = renamed.mmgeneration_g(g, w_avg=True)
        found = latentlab.load(torch_saved(**file_of(generator_ema=theirs)))
        z, c = torch.randn(2, 6), torch.eye(3)[:2]
        assert torch.equal(found.generator(z, c), g(z, c))
        assert torch.equal(found.generator.w_mean, g.w_mean)
        assert len(found.metadata["notes"]) == 1

    def test_a_mean_of_w_that_mmagic_stores(self, torch_saved):
        g = make_g()
        theirs = renamed.mmgeneration_g(g, w_avg=True)
        found = latentlab.load(torch_saved(**file_of(generator_ema=theirs)))
        assert torch.equal(found.generator.w_mean, g.w_mean)
        assert len(found.metadata["notes"]) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"channel_table": (8, 6, 4), "fc_features": 9, "channels": 1},
            {"c_dim": 3, "cmap_dim": 6, "mapping_layers": 2},
            {"resolution": 8, "channel_table": (4, 3)},
        ],
    )
    def test_discriminators(self, changes, torch_saved):
        d = make_discriminator(**changes)
        theirs = renamed.mmgeneration_d(d) | {"ada_aug.log_buffer": torch.zeros(2)}
        size, channels = d.config.resolution, d.config.channels
        g = make_g(resolution=size, channels=channels)
        parts = {"generator_ema": renamed.mmgeneration_g(g), "discriminator": theirs}
        found = latentlab.load(torch_saved(**file_of(**parts)))
        assert list(found.networks) == ["G_ema", "D"]
        c = torch.eye(3)[[0, 2, 1, 1]] if d.config.c_dim else None
        images = torch.randn(4, channels, size, size)
        assert torch.equal(found.discriminator(images, c), d(images, c))

    def test_official_weights_under_their_names(self, shared, torch_saved):
        """Of NVIDIA's own release, which differs from theirs in names alone."""
        official = latentlab.load(shared / "ada_skip_32.pkl")
        parts = {
            "generator_ema": renamed.mmgeneration_g(official.generator, w_avg=True),
            "discriminator": renamed.mmgeneration_d(official.discriminator),
        }
        checkpoint = latentlab.load(torch_saved(**file_of(**parts)))
        images = official.generator(torch.randn(4, official.generator.z_dim))
        scores = official.discriminator(images)
        assert torch.equal(checkpoint.discriminator(images), scores)


class TestFiles:
    def check(self, path, g, networks):
        checkpoint = latentlab.load(path)
        assert checkpoint.kind == "stylegan2-mmgeneration"
        assert list(checkpoint.networks) == networks
        z = torch.randn(2, g.z_dim)
        assert torch.equal(checkpoint.generator(z), g(z))
        return checkpoint

    def test_a_training_run_opens_without_its_optimisers(self, torch_saved):
        g = make_g()
        theirs, d = renamed.mmgeneration_g(g), renamed.mmgeneration_d(make_discriminator())
        found = file_of(generator=theirs, discriminator=d, generator_ema=theirs)
        found["state_dict"]["iteration"] = torch.tensor(3)
        found["optimizer"] = {"generator": {"state": {0: {"exp_avg": torch.ones(2)}}}}
        checkpoint = self.check(torch_saved(**found), g, ["G_ema", "G", "D"])
        assert checkpoint.metadata["ignored"] == ["optimizer", "iteration"]

    def test_a_training_run_of_mmagic(self, torch_saved):
        """Its average is a module in a module, which counts its steps."""
        g = make_g()
        theirs = renamed.mmgeneration_g(g)
        wrapped = {f"module.{name}": tensor for name, tensor in theirs.items()}
        wrapped["steps"] = torch.tensor(800)
        found = file_of(generator=renamed.mmgeneration_g(make_g(seed=1)), generator_ema=wrapped)
        found["state_dict"]["data_preprocessor.mean"] = torch.full((3, 1, 1), 127.5)
        found["message_hub"] = {"runtime_info": {"iter": 10}}
        checkpoint = self.check(torch_saved(**found), g, ["G_ema", "G"])
        [ignored] = checkpoint.metadata["ignored"]
        assert ignored.startswith("data_preprocessor")

    def test_a_strange_discriminator_is_left_aside(self, torch_saved):
        g = make_g()
        strange = {"features.0.weight": torch.ones(3, 3)}
        found = file_of(generator_ema=renamed.mmgeneration_g(g), discriminator=strange)
        checkpoint = self.check(torch_saved(**found), g, ["G_ema"])
        assert "discriminator" in checkpoint.metadata["ignored"]

    def test_the_last_trained_alone(self, torch_saved):
        g = make_g()
        path = torch_saved(**file_of(generator=renamed.mmgeneration_g(g)))
        self.check(path, g, ["G"])

    def test_a_flat_state_dict(self, torch_saved):
        g = make_g()
        found = file_of(generator_ema=renamed.mmgeneration_g(g))["state_dict"]
        self.check(torch_saved(**found), g, ["G_ema"])

    @pytest.mark.parametrize("nested", [True, False])
    def test_a_bare_generator(self, nested, torch_saved):
        g = make_g()
        theirs = renamed.mmgeneration_g(g)
        path = torch_saved(**({"state_dict": theirs} if nested else theirs))
        self.check(path, g, ["G_ema"])


class TestChannelOrder:
    @pytest.mark.parametrize("given", ["bgr", "BGR"])
    def test_networks_of_the_other_order_are_turned_around(self, given, torch_saved):
        g, d = make_g(), make_discriminator()
        parts = {"generator": renamed.mmgeneration_g(g), "discriminator": renamed.mmgeneration_d(d)}
        checkpoint = latentlab.load(
            torch_saved(**file_of(**parts)), assume={"channel_order": given}
        )
        z, images = torch.randn(2, 5), torch.randn(4, 3, 16, 16)
        torch.testing.assert_close(checkpoint.generator(z), g(z).flip(1), atol=1e-6, rtol=0)
        score = d(images.flip(1))
        torch.testing.assert_close(checkpoint.discriminator(images), score, atol=1e-5, rtol=0)
        assert not any("channel_order" in note for note in checkpoint.metadata["notes"])

    def test_the_usual_order_is_noted(self, torch_saved):
        path = torch_saved(**file_of(generator=renamed.mmgeneration_g(make_g())))
        usual, told = latentlab.load(path), latentlab.load(path, assume={"channel_order": "rgb"})
        z = torch.randn(2, 5)
        assert torch.equal(usual.generator(z), told.generator(z))
        assert any("assume channel_order=bgr" in note for note in usual.metadata["notes"])

    @pytest.mark.parametrize("given", ["rbg", 1, None, True])
    def test_other_values(self, given, torch_saved):
        path = torch_saved(**file_of(generator=renamed.mmgeneration_g(make_g())))
        with pytest.raises(SettingsError, match="channel_order must be one of rgb, bgr"):
            latentlab.load(path, assume={"channel_order": given})


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        [
            "style_mapping.1.linear.weight_orig",
            "style_mapping.2.bias",
            "conv1.conv.weight_orig",
            "convs.1.noise_injector.weight",
            "convs.2.conv.blur.kernel",
            "injected_noise_3",
            "to_rgb1.bias",
            "to_rgbs.0.conv.weight_orig",
            "to_rgbs.1.upsample.kernel",
        ],
    )
    def test_missing_weights(self, name, torch_saved):
        found = renamed.mmgeneration_g(make_g())
        del found[name]
        path = torch_saved(**file_of(generator_ema=found))
        assert_refused(path, CheckpointError, "generator_ema", name)

    @pytest.mark.parametrize("name", ["convs.0.1.bias", "convs.1.conv1.0.conv.weight_orig",
                                      "convs.2.skip.0.kernel", "final_linear.1.bias"])  # fmt: skip
    def test_missing_weights_of_a_discriminator(self, name, torch_saved):
        d = renamed.mmgeneration_d(make_discriminator())
        del d[name]
        parts = {"generator_ema": renamed.mmgeneration_g(make_g()), "discriminator": d}
        assert_refused(torch_saved(**file_of(**parts)), CheckpointError, "discriminator", name)

    def test_unknown_weights(self, torch_saved):
        g = renamed.mmgeneration_g(make_g()) | {"convs.0.gain": torch.ones(1)}
        assert_refused(
            torch_saved(**file_of(generator=g)), CheckpointError, "generator", "convs.0.gain"
        )

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("constant_input.input", (2, 8, 4, 4)),
            ("conv1.conv.weight_orig", (2, 8, 8, 3, 3)),
            ("convs.0.conv.weight_orig", (1, 7, 8, 3, 3)),
            ("convs.0.noise_injector.weight", (2,)),
            ("injected_noise_1", (1, 1, 4, 4)),
            ("to_rgbs.0.bias", (4,)),
            ("style_mapping.1.linear.weight_orig", (5,)),
            ("conv1.conv.style_modulation.linear.weight_orig", ()),
            ("convs.2.conv.weight_orig", (1, 10**4, 8, 3, 3)),
        ],
    )
    def test_weights_of_other_shapes(self, name, shape, torch_saved):
        g = renamed.mmgeneration_g(make_g()) | {name: torch.zeros(shape)}
        assert_refused(torch_saved(**file_of(generator_ema=g)), CheckpointError, "generator_ema")

    def test_other_filters(self, torch_saved):
        g = renamed.mmgeneration_g(make_g())
        g["to_rgbs.0.upsample.kernel"] = g["to_rgbs.0.upsample.kernel"] / 4
        path = torch_saved(**file_of(generator_ema=g))
        assert_refused(path, UnsupportedCheckpoint, "not the usual filter")
