"""Files of huangzh13/StyleGAN.pytorch against that code's own outputs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from latentlab.networks import ops
from tests.conftest import make_stylegan1, make_stylegan1_discriminator
from tests.support import renamed
from tests.support.refusals import assert_refused
from tests.support.second_set import assert_images, assert_same_after_saving, opened
from tests.support.tolerances import SCORE, W

FILE = "huangzh13_stylegan1_32.pth"


def noise_of(g):
    """The noise of their reference, which no file holds."""
    maps = [
        np.random.RandomState(100 + i).randn(*shape)
        for i, shape in enumerate(g.synthesis.noise_shapes)
    ]
    return [torch.from_numpy(noise.astype(np.float32)) for noise in maps]


def make_g(**changes):
    return make_stylegan1(instance_norm_epsilon=1e-5, **changes)


def make_d(**changes):
    return make_stylegan1_discriminator(from_rgb_activation=False, **changes)


@pytest.fixture(scope="module")
def genuine(shared):
    return opened(shared, FILE)


@pytest.fixture
def saved(tmp_path):
    def run(found, name="model.pth"):
        torch.save(found, tmp_path / name)
        return tmp_path / name

    return run


class TestParity:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "stylegan1-huangzh13"
        assert list(checkpoint.networks) == ["G_ema"]
        assert checkpoint.metadata["truncation"] == {"psi": 0.7, "cutoff": 8}
        [note] = checkpoint.metadata["notes"]
        assert "no noise maps" in note
        g = checkpoint.generator
        assert (g.resolution, g.channels, g.z_dim, g.w_dim, g.num_ws) == (32, 3, 16, 512, 8)
        assert g.config.instance_norm_epsilon == 1e-5
        assert g.config.fused_from == 128

    def test_images(self, genuine):
        checkpoint, ref = genuine
        g, z = checkpoint.generator, ref["z"]
        torch.testing.assert_close(g.mapping(z)[:, 0], ref["w"], atol=W, rtol=0)
        noise = noise_of(g)
        assert_images(g(z, noise=noise), ref, "img")
        assert_images(g(z, noise_mode="none"), ref, "img_zero_noise")
        image = g(z, truncation_psi=0.7, truncation_cutoff=8, noise=noise)
        assert_images(image, ref, "img_truncation_module")

    def test_features(self, genuine):
        checkpoint, ref = genuine
        g = checkpoint.generator
        ws, noise = g.mapping(ref["z"]), noise_of(g)
        x = g.synthesis.b4(None, ws[:, :2], noise[:2])
        assert_images(x, ref, "act_init_block")
        assert_images(g.synthesis.b8(x, ws[:, 2:4], noise[2:4]), ref, "act_block0")

    @pytest.mark.parametrize(("depth", "alpha"), [(0, None), (2, 1), (2, 0.4), (3, 0.4)])
    def test_images_at_other_stages(self, depth, alpha, genuine):
        checkpoint, ref = genuine
        g = checkpoint.generator
        name = "img_depth0" if alpha is None else f"img_depth{depth}_alpha{alpha}"
        g.synthesis.set_lod(3 - depth + 1 - (1 if alpha is None else alpha))
        try:
            image = g(ref["z"][: len(ref[name])], noise=noise_of(g))
        finally:
            g.synthesis.set_lod(0)
        step = 2 ** (3 - depth)
        assert_images(image[:, :, ::step, ::step], ref, name)

    def test_a_network_cut_at_the_depth_that_is_assumed(self, shared):
        checkpoint, ref = opened(shared, FILE, assume={"depth": 2})
        g = checkpoint.generator
        assert g.resolution == 16
        note = "The layers above 16 px are left out, as depth 2 asks."
        assert note in checkpoint.metadata["notes"]
        assert_images(g(ref["z"][:2], noise=noise_of(g)), ref, "img_depth2_alpha1")

    def test_a_native_copy_computes_the_same_bits(self, genuine, tmp_path):
        checkpoint, ref = genuine
        assert_same_after_saving(
            checkpoint,
            tmp_path / "copy.safetensors",
            lambda c: c.generator(ref["z"], truncation_psi=0.7),
            lambda c: c.generator(ref["z"], noise_mode="none"),
        )

    def test_a_larger_file(self, shared):
        """Upsampling is fused from 128 px on."""
        checkpoint, ref = opened(shared, "huangzh13_stylegan1_128.pth")
        g = checkpoint.generator
        image = g(ref["z"], noise=noise_of(g))
        assert_images(image[0], ref, "img_s0")
        assert_images(image[1, :, ::2, ::2], ref, "img_s1_every2")

    def test_official_weights_under_their_names(self, shared, saved):
        """At 128 px, where layers are fused; the epsilon alone makes the images differ."""
        official = latentlab.load(shared / "sg1_128_fused.pkl")
        path = saved(renamed.huangzh13_g(official.generator))
        g = latentlab.load(path).generator
        with np.load(shared / "sg1_128_fused_ref.npz") as file:
            ref = {name: torch.from_numpy(file[name]) for name in file.files}
        noise = [
            layer.noise_const[None, None] for layer in official.generator.synthesis.noise_layers
        ]
        error = (g.synthesis(ref["w"], noise=noise) - ref["images_w"]).abs().max()
        assert 1e-4 < error < 0.02  # measured 4.7e-3 in their own network
        path = saved(renamed.huangzh13_d(official.discriminator))
        images = ref["images_psi07"]
        d = latentlab.load(path).discriminator
        score = d.block(4)(reference_features(d, images))
        torch.testing.assert_close(d(images), score, atol=SCORE, rtol=0)
        assert not torch.allclose(d(images), ref["D_psi07"])  # RGB layers without activation


def reference_features(d, x):
    """Features at 4x4 by plain operations: the order of their discriminator's layers."""
    weights = d.state_dict()

    def conv(name, x, stride=1):
        weight = weights[f"{name}.weight"]
        weight = weight * (2 / weight[0].numel()) ** 0.5
        if stride == 1:
            return F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        return F.avg_pool2d(F.conv2d(x, weight, padding=1), 2)

    def bias(name):
        return weights[f"{name}.bias"][:, None, None]

    size = d.resolutions[-1]
    x = conv(f"b{size}.fromrgb", x) + bias(f"b{size}.fromrgb")
    for size in d.resolutions[:0:-1]:
        x = F.leaky_relu(conv(f"b{size}.conv0", x) + bias(f"b{size}.conv0"), 0.2)
        x = ops.blur(x, (1.0, 2.0, 1.0))
        x = F.leaky_relu(conv(f"b{size}.conv1", x, 2) + bias(f"b{size}.conv1"), 0.2)
    return x


class TestInstanceNorm:
    def test_it_is_that_of_pytorch(self):
        """On features so small that the epsilon counts."""
        x = torch.randn(2, 3, 8, 8) * 1e-3
        found = ops.instance_norm(x.clone(), 1e-5)
        torch.testing.assert_close(found, F.instance_norm(x), atol=1e-6, rtol=0)
        assert (ops.instance_norm(x.clone(), 1e-8) - found).abs().max() > 0.1


class TestVariants:
    """Networks of ours under their names come back as they were."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"use_noise": False},
            {"blur_filter": None},
            {"resolution": 4, "channel_table": (3,)},
            {"channels": 1, "mapping_layers": 1, "z_dim": 7},
            {"channel_table": (8, 6, 4), "layer_features": 9, "mapping_layers": 4},
            {"c_dim": 3},
        ],
    )
    def test_generators(self, changes, saved):
        g = make_g(**changes)
        found = latentlab.load(saved(renamed.huangzh13_g(g))).generator
        z, c = torch.randn(2, g.z_dim), torch.eye(3)[:2] if g.c_dim else None
        assert torch.equal(found(z, c, noise_mode="none"), g(z, c, noise_mode="none"))
        noise = [torch.randn(shape) for shape in g.synthesis.noise_shapes]
        assert torch.equal(found(z, c, noise=noise), g(z, c, noise=noise))
        assert torch.equal(found.w_mean, g.w_mean)

    @pytest.mark.parametrize(
        "changes",
        [{}, {"blur_filter": None}, {"fc_features": 9, "mbstd_num_channels": 2, "channels": 1}],
    )
    def test_discriminators(self, changes, saved):
        d = make_d(**changes)
        checkpoint = latentlab.load(saved(renamed.huangzh13_d(d)))
        assert checkpoint.kind == "stylegan1-huangzh13"
        assert list(checkpoint.networks) == ["D"]
        images = torch.randn(4, d.config.channels, 16, 16)
        assert torch.equal(checkpoint.discriminator(images), d(images))

    def test_a_file_without_a_mean_of_w(self, saved):
        found = renamed.huangzh13_g(make_g(c_dim=3))
        del found["truncation.avg_latent"]
        checkpoint = latentlab.load(saved(found))
        assert any("4096 random w" in note for note in checkpoint.metadata["notes"])
        g = checkpoint.generator
        z, c = torch.randn(3000, g.z_dim), torch.eye(3).repeat(1000, 1)
        w = g.mapping(z, c)[:, 0]
        error = w.std(dim=0) * (1 / 4096 + 1 / 3000) ** 0.5  # of the difference of two means
        assert ((g.w_mean - w.mean(dim=0)).abs() < 5 * error).all()
        assert g.w_mean.abs().max() > 0

    @pytest.mark.parametrize(
        ("name", "network"),
        [("GAN_GEN_2_5.pth", "G"), ("GAN_GEN_SHADOW_2_5.pth", "G_ema"), ("other.pth", "G_ema")],
    )
    def test_the_average_is_told_by_the_name(self, name, network, saved):
        path = saved(renamed.huangzh13_g(make_g()), name)
        assert list(latentlab.load(path).networks) == [network]

    def test_noise_is_always_the_same(self, saved):
        path = saved(renamed.huangzh13_g(make_g()))
        first, second = latentlab.load(path).generator, latentlab.load(path).generator
        for one, two in zip(
            first.synthesis.noise_layers, second.synthesis.noise_layers, strict=True
        ):
            assert torch.equal(one.noise_const, two.noise_const)
            assert 0.5 < one.noise_const.std() < 1.5


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        [
            "g_mapping.map.dense0.weight",
            "g_mapping.map.dense1.bias",
            "g_synthesis.init_block.bias",
            "g_synthesis.init_block.epi1.style_mod.lin.weight",
            "g_synthesis.init_block.epi2.top_epi.noise.weight",
            "g_synthesis.blocks.0.conv1.weight",
            "g_synthesis.blocks.1.conv0_up.intermediate.kernel",
            "g_synthesis.to_rgb.0.bias",
            "g_synthesis.to_rgb.1.weight",
        ],
    )
    def test_missing_weights(self, name, saved):
        found = renamed.huangzh13_g(make_g())
        del found[name]
        assert_refused(saved(found), CheckpointError, name)

    @pytest.mark.parametrize("name", ["blocks.0.conv1_down.weight", "from_rgb.1.weight",
                                      "final_block.dense1.bias", "blocks.1.blur.kernel",
                                      "blocks.0.conv1_down.downscale.blur.kernel"])  # fmt: skip
    def test_missing_weights_of_a_discriminator(self, name, saved):
        found = renamed.huangzh13_d(make_d())
        del found[name]
        assert_refused(saved(found), CheckpointError, name)

    def test_unknown_weights(self, saved):
        found = renamed.huangzh13_g(make_g()) | {"g_synthesis.extra": torch.ones(1)}
        assert_refused(saved(found), CheckpointError, "g_synthesis.extra")

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("g_synthesis.init_block.const", (2, 8, 4, 4)),
            ("g_synthesis.blocks.0.conv0_up.weight", (8, 8, 3)),
            ("g_synthesis.blocks.0.epi1.style_mod.lin.weight", (15, 5)),
            ("g_synthesis.to_rgb.1.weight", (3, 8)),
            ("g_synthesis.to_rgb.2.weight", (3, 10**4, 1, 1)),
            ("g_mapping.map.dense0.weight", (5,)),
            ("truncation.avg_latent", (6,)),
        ],
    )
    def test_weights_of_other_shapes(self, name, shape, saved):
        found = renamed.huangzh13_g(make_g()) | {name: torch.ones(shape)}
        assert_refused(saved(found), CheckpointError)

    def test_a_discriminator_with_labels(self, saved):
        found = renamed.huangzh13_d(make_d(channels=6)) | {"embeddings.0.weight": torch.ones(3, 8)}
        assert_refused(saved(found), UnsupportedCheckpoint, "labels", "not supported")

    def test_a_label_that_is_not_in_the_file(self, saved):
        found = renamed.huangzh13_g(make_g(z_dim=5, c_dim=3))
        del found["class_embedding.weight"]
        assert_refused(saved(found), UnsupportedCheckpoint, "label embedding is not in the file")

    def test_an_optimiser(self, saved):
        found = {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1.0}]}
        assert_refused(saved(found, "GAN_GEN_OPTIM_3_10.pth"), UnsupportedCheckpoint)
