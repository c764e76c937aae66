"""StyleGAN1 files of genforce/genforce against that code's own outputs."""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, SettingsError, UnsupportedCheckpoint
from tests.conftest import make_stylegan1, make_stylegan1_discriminator
from tests.support import renamed
from tests.support.refusals import assert_refused
from tests.support.second_set import assert_images, opened
from tests.support.tolerances import IMAGE, SCORE, W


@pytest.fixture(scope="module")
def genuine(shared):
    return opened(shared, "genforce_stylegan1_32.pth")


class TestParity:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "stylegan1-genforce"
        assert list(checkpoint.networks) == ["G_ema", "G", "D"]
        assert checkpoint.metadata == {"truncation": {"psi": 0.7, "cutoff": 8}}
        g = checkpoint.generator
        assert (g.resolution, g.channels, g.z_dim, g.w_dim, g.num_ws) == (32, 3, 16, 24, 8)
        assert g.config.fused_from == checkpoint.discriminator.config.fused_from == 128

    def test_images(self, genuine):
        checkpoint, ref = genuine
        g, z = checkpoint.generator, ref["z"]
        torch.testing.assert_close(g.mapping(z)[:, 0], ref["w"], atol=W, rtol=0)
        assert_images(g(z), ref, "img")
        half = g(z, truncation_psi=0.7, truncation_cutoff=5)
        assert_images(half, ref, "img_psi07_layers5")
        assert_images(g(z, truncation_psi=0.7), ref, "img_psi07_layersAll")
        assert_images(g.synthesis(ref["wplus"]), ref, "img_wplus")
        styles = g.synthesis.b8.layer1.affine(ref["w"])
        torch.testing.assert_close(styles, ref["styles_layer3"], atol=W, rtol=0)

    def test_the_lod_of_the_file_is_that_of_the_network(self, genuine, torch_saved):
        checkpoint, ref = genuine
        found = renamed.genforce1_g(checkpoint.generator)
        found["synthesis.lod"] = torch.tensor(1.5)
        path = torch_saved(generator_smooth=found)
        assert_images(latentlab.load(path).generator(ref["z"][:2]), ref, "img_lod1.5")

    def test_a_larger_file(self, shared):
        """Upsampling is fused from 128 px on."""
        checkpoint, ref = opened(shared, "genforce_stylegan1_128.pth")
        assert list(checkpoint.networks) == ["G_ema"]
        image = checkpoint.generator(ref["z"])
        assert_images(image[0], ref, "img_s0")
        assert_images(image[1, :, ::2, ::2], ref, "img_s1_every2")
        image = checkpoint.generator(ref["z"], truncation_psi=0.7, truncation_cutoff=8)
        assert_images(image[:, :, ::4, ::4], ref, "img_psi07_layers8_every4")

    def test_official_weights_under_their_names(self, shared, torch_saved):
        """At 128 px, where the original network fuses; its own outputs, not those of theirs."""
        official = latentlab.load(shared / "sg1_128_fused.pkl")
        path = torch_saved(
            generator_smooth=renamed.genforce1_g(official.generator),
            discriminator=renamed.genforce1_d(official.discriminator),
        )
        checkpoint = latentlab.load(path)
        with np.load(shared / "sg1_128_fused_ref.npz") as file:
            ref = {name: torch.from_numpy(file[name]) for name in file.files}
        image = checkpoint.generator(ref["z"], truncation_psi=0.7, truncation_cutoff=8)
        torch.testing.assert_close(image, ref["images_psi07"], atol=2 * IMAGE, rtol=0)
        score = checkpoint.discriminator(ref["images_psi07"])
        torch.testing.assert_close(score, ref["D_psi07"], atol=SCORE, rtol=0)


class TestVariants:
    """Networks of ours under their names come back as they were."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"use_noise": False},
            {"resolution": 4, "channel_table": (3,)},
            {"channels": 1, "mapping_layers": 1, "z_dim": 7},
            {"channel_table": (8, 6, 4), "layer_features": 9},
            {"c_dim": 3},
        ],
    )
    def test_generators(self, changes, torch_saved):
        g = make_stylegan1(**changes)
        found = latentlab.load(torch_saved(generator_smooth=renamed.genforce1_g(g))).generator
        z, c = torch.randn(2, g.z_dim), torch.eye(3)[:2] if g.c_dim else None
        assert torch.equal(found(z, c), g(z, c))
        assert torch.equal(found.w_mean, g.w_mean)

    @pytest.mark.parametrize(
        "changes",
        [{}, {"fc_features": 9, "mbstd_num_channels": 2, "channels": 1}, {"c_dim": 3}],
    )
    def test_discriminators(self, changes, torch_saved):
        d = make_stylegan1_discriminator(**changes)
        g = make_stylegan1(channels=d.config.channels)
        path = torch_saved(generator=renamed.genforce1_g(g), discriminator=renamed.genforce1_d(d))
        found = latentlab.load(path).discriminator
        c = torch.eye(3)[[0, 2, 1, 1]] if d.config.c_dim else None
        images = torch.randn(4, d.config.channels, 16, 16)
        assert torch.equal(found(images, c), d(images, c))


class TestAssumptions:
    """Where upsampling is fused, no file says."""

    @pytest.mark.parametrize(
        ("given", "fused_from"),
        [("auto", 128), (True, 8), ("True", 8), (False, None), ("false", None)],
    )
    def test_fused_scale(self, given, fused_from, torch_saved):
        g = make_stylegan1(fused_from=fused_from)
        d = make_stylegan1_discriminator(fused_from=fused_from)
        parts = {"generator": renamed.genforce1_g(g), "discriminator": renamed.genforce1_d(d)}
        checkpoint = latentlab.load(torch_saved(**parts), assume={"fused_scale": given})
        z, images = torch.randn(2, g.z_dim), torch.randn(4, 3, 16, 16)
        assert torch.equal(checkpoint.generator(z), g(z))
        assert torch.equal(checkpoint.discriminator(images), d(images))

    @pytest.mark.parametrize("given", ["maybe", 1, None, 128, "", [True]])
    def test_other_values(self, given, torch_saved):
        path = torch_saved(generator=renamed.genforce1_g(make_stylegan1()))
        with pytest.raises(SettingsError, match="fused_scale must be one of auto, true, false"):
            latentlab.load(path, assume={"fused_scale": given})


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        [
            "mapping.dense0.bias",
            "truncation.w_avg",
            "synthesis.lod",
            "synthesis.layer1.weight",
            "synthesis.layer2.blur.kernel",
            "synthesis.layer3.apply_noise.noise",
            "synthesis.layer5.style.weight",
            "synthesis.output0.weight",
            "synthesis.output1.bias",
        ],
    )
    def test_missing_weights(self, name, torch_saved):
        found = renamed.genforce1_g(make_stylegan1())
        del found[name]
        assert_refused(
            torch_saved(generator_smooth=found), CheckpointError, "generator_smooth", name
        )

    @pytest.mark.parametrize("name", ["lod", "layer1.weight", "input1.bias", "layer3.blur.kernel"])
    def test_missing_weights_of_a_discriminator(self, name, torch_saved):
        d = renamed.genforce1_d(make_stylegan1_discriminator())
        del d[name]
        path = torch_saved(generator=renamed.genforce1_g(make_stylegan1()), discriminator=d)
        assert_refused(path, CheckpointError, "discriminator", name)

    def test_unknown_weights(self, torch_saved):
        g = renamed.genforce1_g(make_stylegan1()) | {"synthesis.layer1.gain": torch.ones(1)}
        assert_refused(torch_saved(generator=g), CheckpointError, "synthesis.layer1.gain")

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("synthesis.layer0.const", (2, 8, 4, 4)),
            ("synthesis.lod", (2,)),
            ("synthesis.layer2.weight", (8, 8, 3)),
            ("synthesis.layer3.weight", (7, 8, 3, 3)),
            ("synthesis.layer3.apply_noise.weight", (7,)),
            ("synthesis.layer3.apply_noise.noise", (1, 1, 4, 4)),
            ("synthesis.layer3.style.bias", (15,)),
            ("synthesis.output1.weight", (3, 8)),
            ("mapping.dense1.weight", (5, 6)),
            ("synthesis.output2.weight", (3, 10**4, 1, 1)),
        ],
    )
    def test_weights_of_other_shapes(self, name, shape, torch_saved):
        g = renamed.genforce1_g(make_stylegan1()) | {name: torch.zeros(shape)}
        assert_refused(torch_saved(generator_smooth=g), CheckpointError, "generator_smooth")

    def test_noise_by_channel(self, torch_saved):
        g = renamed.genforce1_g(make_stylegan1(channel_table=(16, 8, 8)))
        g["synthesis.layer0.apply_noise.noise"] = torch.ones(1, 16, 1, 1)
        assert_refused(
            torch_saved(generator=g), UnsupportedCheckpoint, "apply_noise.noise", "channel"
        )

    def test_other_blurs(self, torch_saved):
        g = renamed.genforce1_g(make_stylegan1())
        g["synthesis.layer2.blur.kernel"][3] += 0.1
        assert_refused(torch_saved(generator=g), UnsupportedCheckpoint, "not the usual filter")

    def test_a_lod_that_is_no_number(self, torch_saved):
        g = renamed.genforce1_g(make_stylegan1()) | {"synthesis.lod": torch.tensor(float("nan"))}
        path = torch_saved(generator=g)
        assert_refused(path, CheckpointError, "lod")
        with pytest.raises(CheckpointError, match="lod"):
            latentlab.load(path, allow_nonfinite=True)
