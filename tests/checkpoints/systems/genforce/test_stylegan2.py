"""StyleGAN2 files of genforce/genforce against that code's own outputs."""

import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from tests.conftest import make_discriminator, make_generator
from tests.support import renamed
from tests.support.refusals import assert_refused
from tests.support.second_set import assert_images, opened
from tests.support.tolerances import W


@pytest.fixture(scope="module")
def genuine(shared):
    return opened(shared, "genforce_stylegan2_32.pth")


class TestParity:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "stylegan2-genforce"
        assert list(checkpoint.networks) == ["G_ema", "G", "D"]
        assert checkpoint.metadata == {"truncation": {"psi": 0.7, "cutoff": 8}}
        g = checkpoint.generator
        assert (g.resolution, g.channels, g.z_dim, g.w_dim, g.num_ws) == (32, 3, 16, 24, 8)
        assert g.config.layer_features == 20
        assert g.config.channel_table == (12, 12, 12, 8)
        assert checkpoint.discriminator.config.channel_table == (12, 12, 12, 8)

    def test_images(self, genuine):
        checkpoint, ref = genuine
        g, z = checkpoint.generator, ref["z"]
        torch.testing.assert_close(g.mapping(z)[:, 0], ref["w"], atol=W, rtol=0)
        assert_images(g(z), ref, "img")
        half = g(z, truncation_psi=0.7, truncation_cutoff=5)
        assert_images(half, ref, "img_psi07_layers5")
        assert_images(g(z, truncation_psi=0.7), ref, "img_psi07_layersAll")
        assert_images(g.synthesis(ref["wplus"]), ref, "img_wplus")

    def test_styles_have_the_one_that_their_weights_lack(self, genuine):
        checkpoint, ref = genuine
        b16 = checkpoint.generator.synthesis.b16
        styles = b16.conv0.affine(ref["w"])
        torch.testing.assert_close(styles, ref["styles_layer3_s"], atol=W, rtol=0)
        styles = checkpoint.generator.synthesis.b8.torgb.affine(ref["w"])
        torch.testing.assert_close(styles, ref["styles_output1_s"], atol=W, rtol=0)


class TestVariants:
    """Networks of ours under their names come back as they were."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"architecture": "orig"},
            {"use_noise": False},
            {"resolution": 4, "channel_table": (3,)},
            {"channels": 1, "mapping_layers": 1, "z_dim": 7},
            {"channel_table": (8, 6, 4), "layer_features": 9},
            {"c_dim": 3, "label_input": "concat"},
            {"c_dim": 3, "label_input": "embed", "embed_features": 6},
        ],
    )
    def test_generators(self, changes, torch_saved):
        g = make_generator(**changes)
        found = latentlab.load(torch_saved(generator_smooth=renamed.genforce2_g(g))).generator
        z, c = torch.randn(2, g.z_dim), torch.eye(3)[:2] if g.c_dim else None
        torch.testing.assert_close(
            found(z, c), g(z, c), atol=1e-5, rtol=0
        )  # a bias, less 1, plus 1
        assert torch.equal(found.w_mean, g.w_mean)
        assert found.config.architecture == g.config.architecture

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"architecture": "skip"},
            {"architecture": "orig"},
            {"fc_features": 9, "mbstd_num_channels": 2, "channels": 1},
            {"c_dim": 3, "label_output": "sum"},
            {"c_dim": 3, "mapping_layers": 0, "cmap_dim": 6},
        ],
    )
    def test_discriminators(self, changes, torch_saved):
        d = make_discriminator(**changes)
        g = make_generator(channels=d.config.channels)
        path = torch_saved(generator=renamed.genforce2_g(g), discriminator=renamed.genforce2_d(d))
        found = latentlab.load(path).discriminator
        c = torch.eye(3)[[0, 2, 1, 1]] if d.config.c_dim else None
        images = torch.randn(4, d.config.channels, 16, 16)
        assert torch.equal(found(images, c), d(images, c))


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        [
            "mapping.dense0.weight",
            "mapping.dense1.bias",
            "truncation.w_avg",
            "synthesis.layer0.weight",
            "synthesis.layer2.style.bias",
            "synthesis.layer3.filter.kernel",
            "synthesis.layer4.noise",
            "synthesis.output0.weight",
            "synthesis.output1.style.weight",
            "synthesis.upsample.kernel",
        ],
    )
    def test_missing_weights(self, name, torch_saved):
        found = renamed.genforce2_g(make_generator())
        del found[name]
        assert_refused(
            torch_saved(generator_smooth=found), CheckpointError, "generator_smooth", name
        )

    @pytest.mark.parametrize("name", ["layer0.weight", "layer3.bias", "skip_layer1.weight",
                                      "layer3.filter.kernel", "layer5.weight"])  # fmt: skip
    def test_missing_weights_of_a_discriminator(self, name, torch_saved):
        d = renamed.genforce2_d(make_discriminator())
        del d[name]
        path = torch_saved(generator=renamed.genforce2_g(make_generator()), discriminator=d)
        assert_refused(path, CheckpointError, "discriminator", name)

    def test_unknown_weights(self, torch_saved):
        g = renamed.genforce2_g(make_generator()) | {"synthesis.extra.bias": torch.ones(1)}
        assert_refused(torch_saved(generator=g), CheckpointError, "synthesis.extra.bias")

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("synthesis.early_layer.const", (2, 8, 4, 4)),
            ("synthesis.layer1.weight", (8, 8, 3)),
            ("synthesis.layer2.weight", (7, 8, 3, 3)),
            ("synthesis.layer1.noise_strength", (2,)),
            ("synthesis.layer2.noise", (1, 1, 9, 9)),
            ("synthesis.output1.weight", (4, 8, 1, 1)),
            ("mapping.dense0.weight", (5,)),
            ("mapping.dense1.weight", (5, 6)),
            ("synthesis.layer0.style.weight", ()),
            ("synthesis.layer4.weight", (10**4, 8, 3, 3)),
        ],
    )
    def test_weights_of_other_shapes(self, name, shape, torch_saved):
        g = renamed.genforce2_g(make_generator()) | {name: torch.zeros(shape)}
        assert_refused(torch_saved(generator_smooth=g), CheckpointError, "generator_smooth")

    def test_noise_by_channel(self, torch_saved):
        """With sixteen feature maps it would even fit a map of 4x4."""
        g = renamed.genforce2_g(make_generator(channel_table=(16, 8, 8)))
        g["synthesis.layer0.noise"] = torch.ones(1, 16, 1, 1)
        assert_refused(torch_saved(generator=g), UnsupportedCheckpoint, "layer0.noise", "channel")

    def test_a_mean_for_each_layer(self, torch_saved):
        g = renamed.genforce2_g(make_generator())
        g["truncation.w_avg"] = torch.ones(5 * 6)
        assert_refused(torch_saved(generator=g), UnsupportedCheckpoint, "repeat_w")

    def test_resnet_whose_layers_are_lost(self, torch_saved):
        g = renamed.genforce2_g(make_generator(architecture="orig"))
        for k in (1, 3):
            for name in [name for name in g if name.startswith(f"synthesis.layer{k}.")]:
                del g[name]
            g[f"synthesis.layer{k}.weight"] = torch.ones(8, 8, 1, 1)
        assert_refused(torch_saved(generator=g), UnsupportedCheckpoint, "resnet")

    def test_a_label_that_is_not_in_the_file(self, torch_saved):
        g = renamed.genforce2_g(make_generator(z_dim=5, c_dim=3, label_input="concat"))
        del g["mapping.label_weight"]
        words = ("mapping.dense0.weight", "label embedding is not in the file")
        assert_refused(torch_saved(generator=g), UnsupportedCheckpoint, *words)

    def test_other_filters(self, torch_saved):
        g = renamed.genforce2_g(make_generator())
        g["synthesis.layer1.filter.kernel"] = torch.ones(1, 1, 4, 4) / 4
        assert_refused(torch_saved(generator=g), UnsupportedCheckpoint, "not the usual filter")

    def test_weights_that_are_not_finite(self, torch_saved):
        g = renamed.genforce2_g(make_generator())
        g["synthesis.layer1.bias"] = torch.full((8,), float("nan"))
        path = torch_saved(generator=g)
        assert_refused(path, CheckpointError, "NaN")
        assert latentlab.load(path, allow_nonfinite=True).generator.resolution == 16

    def test_more_resolutions_than_any_network_has(self, torch_saved):
        g = renamed.genforce2_g(make_generator())
        for i in range(5, 65):
            g |= {f"synthesis.layer{i}.weight": g["synthesis.layer4.weight"]}
            g |= {f"synthesis.output{i}.weight": g["synthesis.output2.weight"]}
        assert_refused(torch_saved(generator=g), UnsupportedCheckpoint, "resolution")
