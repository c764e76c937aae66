"""Files of rosinality/stylegan2-pytorch against that code's own outputs."""

import argparse

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from latentlab.networks import ops
from tests.support import foreign
from tests.support.tolerances import FOREIGN_IMAGE, FOREIGN_SCORE, W

TAPS = [(1.0, 2.0, 1.0), (1.0, 3.0, 3.0, 1.1)]  # of filters that no network here has


@pytest.fixture(scope="module")
def genuine(shared):
    """The genuine file, opened once, and that code's outputs as tensors."""
    with np.load(shared / "ros2_32_ref.npz") as file:
        ref = {name: torch.from_numpy(file[name]) for name in file.files}
    return latentlab.load(shared / "ros2_32.pt"), ref


def assert_images(found, expected):
    torch.testing.assert_close(found, expected, atol=FOREIGN_IMAGE, rtol=0)


class TestParity:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "stylegan2-rosinality"
        assert list(checkpoint.networks) == ["G_ema", "G", "D"]
        assert checkpoint.metadata == {}
        g = checkpoint.generator
        assert (g.resolution, g.channels, g.z_dim, g.w_dim, g.num_ws) == (32, 3, 64, 64, 8)
        assert g.config.channel_table == (24, 24, 24, 24)
        assert checkpoint.discriminator.config.channel_table == (24, 24, 24, 24)

    def test_w(self, genuine):
        checkpoint, ref = genuine
        ws = checkpoint.generator.mapping(ref["z"])
        torch.testing.assert_close(ws[:, 0], ref["w"], atol=W, rtol=0)
        assert list(ws.shape[1:]) == ref["latents_shape"].tolist()[1:]

    def test_images(self, genuine):
        checkpoint, ref = genuine
        g = checkpoint.generator
        assert_images(g(ref["z"]), ref["img_const"])
        assert_images(g(ref["z"], truncation_psi=0.7), ref["img_trunc07"])
        ws = ref["w"][:2, None].repeat(1, g.num_ws, 1)
        assert_images(g.synthesis(ws), ref["img_input_is_latent_w"])
        assert_images(g.synthesis(ref["wplus"]), ref["img_wplus"])

    def test_mixed_styles(self, genuine):
        checkpoint, ref = genuine
        ws = checkpoint.generator.mapping(ref["z"])
        mixed = torch.cat([ws[:2, :4], ws[2:4, 4:]], dim=1)
        assert_images(checkpoint.generator.synthesis(mixed), ref["img_mix_inject4"])

    def test_noise_given_and_left_out(self, genuine):
        checkpoint, ref = genuine
        g, z = checkpoint.generator, ref["z"][:4]
        assert_images(g(z, noise=[ref[f"noise_{i}"] for i in range(7)]), ref["img_given_noise"])
        assert_images(g(z, noise_mode="none"), ref["img_zero_noise"])

    def test_the_image_after_each_resolution(self, genuine):
        checkpoint, ref = genuine
        g = checkpoint.generator
        layers = g.synthesis.rgb_by_resolution(g.mapping(ref["z"][:2])).values()
        blocks = g.synthesis.blocks
        image = None
        for i, rgb in enumerate(layers):
            below = None if image is None else ops.upsample(image, blocks[i].resample_filter)
            image = rgb if below is None else below + rgb
            assert_images(image, ref[f"skip_after_rgb{i}"])

    @pytest.mark.parametrize("count", [1, 2, 4, 8])
    def test_scores(self, count, genuine):
        checkpoint, ref = genuine
        score = checkpoint.discriminator(ref["img_const"][:count])
        torch.testing.assert_close(score, ref[f"d_n{count}"], atol=FOREIGN_SCORE, rtol=0)

    def test_a_native_copy_renders_the_same_bits(self, genuine, tmp_path):
        checkpoint, ref = genuine
        latentlab.save(checkpoint, tmp_path / "copy.safetensors")
        copy = latentlab.load(tmp_path / "copy.safetensors")
        assert torch.equal(copy.generator(ref["z"]), checkpoint.generator(ref["z"]))
        assert torch.equal(copy.raw_generator(ref["z"]), checkpoint.raw_generator(ref["z"]))
        images = ref["img_const"]
        assert torch.equal(copy.discriminator(images), checkpoint.discriminator(images))
        assert copy.metadata["source"]["kind"] == "stylegan2-rosinality"


class TestNames:
    """What goes where, on small state dicts of the same layout."""

    def test_weights_arrive_under_our_names(self, torch_saved):
        g, d = foreign.rosinality_g(), foreign.rosinality_d()
        checkpoint = latentlab.load(torch_saved(g_ema=g, d=d, latent_avg=torch.arange(5.0)))
        ours = checkpoint.generator.state_dict()
        for name, theirs in {
            "mapping.fc1.weight": g["style.2.weight"],
            "mapping.w_avg": torch.arange(5.0),
            "synthesis.b4.const": g["input.input"][0],
            "synthesis.b4.conv1.weight": g["conv1.conv.weight"][0],
            "synthesis.b8.conv0.weight": g["convs.0.conv.weight"][0],
            "synthesis.b16.conv1.affine.bias": g["convs.3.conv.modulation.bias"],
            "synthesis.b8.conv1.noise_const": g["noises.noise_2"][0, 0],
            "synthesis.b16.conv0.noise_strength": g["convs.2.noise.weight"][0],
            "synthesis.b16.torgb.bias": g["to_rgbs.1.bias"].flatten(),
        }.items():
            assert torch.equal(ours[name], theirs), name
        ours = checkpoint.discriminator.state_dict()
        for name, theirs in {
            "b16.fromrgb.weight": d["convs.0.0.weight"],
            "b16.conv0.bias": d["convs.1.conv1.1.bias"],
            "b8.conv1.weight": d["convs.2.conv2.1.weight"],
            "b8.skip.weight": d["convs.2.skip.1.weight"],
            "b4.conv.weight": d["final_conv.0.weight"],
            "b4.out.weight": d["final_linear.1.weight"],
        }.items():
            assert torch.equal(ours[name], theirs), name

    @pytest.mark.parametrize("maps", [(4,), (5, 3), (7, 6, 5, 4, 3)])
    def test_size_and_feature_maps_are_read_off_the_shapes(self, maps, torch_saved):
        path = torch_saved(g_ema=foreign.rosinality_g(maps, layers=3), d=foreign.rosinality_d(maps))
        checkpoint = latentlab.load(path)
        g, d = checkpoint.generator, checkpoint.discriminator
        assert g.resolution == d.config.resolution == 4 * 2 ** (len(maps) - 1)
        assert g.config.channel_table == d.config.channel_table == maps
        assert g.config.mapping_layers == 3
        assert d(g(torch.ones(2, 5))).isfinite().all()

    def test_the_dense_layer_has_its_own_width(self, torch_saved):
        d = foreign.rosinality_d()
        usual = latentlab.load(torch_saved(g_ema=foreign.rosinality_g(), d=d)).discriminator
        d["final_linear.0.weight"] = torch.ones(10, 8 * 16)
        d["final_linear.0.bias"], d["final_linear.1.weight"] = torch.ones(10), torch.ones(1, 10)
        wider = latentlab.load(torch_saved(g_ema=foreign.rosinality_g(), d=d)).discriminator
        assert (usual.config.fc_features, wider.config.fc_features) == (None, 10)
        assert wider(torch.ones(2, 3, 16, 16)).shape == (2, 1)

    def test_a_bare_generator_opens(self, tmp_path):
        torch.save(foreign.rosinality_g(), tmp_path / "g_ema.pt")
        checkpoint = latentlab.load(tmp_path / "g_ema.pt")
        assert list(checkpoint.networks) == ["G_ema"]

    def test_a_training_run_opens_without_its_optimisers(self, torch_saved):
        args = argparse.Namespace(size=16, path="lmdb", r1=10.0, wandb=False)
        optim = {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
        g = foreign.rosinality_g()
        checkpoint = latentlab.load(
            torch_saved(
                g=g,
                d=foreign.rosinality_d(),
                g_ema=g,
                g_optim=optim,
                d_optim=optim,
                args=args,
                ada_aug_p=0.25,
            )
        )
        assert list(checkpoint.networks) == ["G_ema", "G", "D"]
        assert checkpoint.metadata["ignored"] == ["g_optim", "d_optim"]
        assert checkpoint.metadata["training"] == {"args": vars(args), "ada_aug_p": 0.25}
        assert "4096 random w" in checkpoint.metadata["notes"][0]

    def test_a_missing_mean_of_w_is_the_mean_of_the_mapping(self, torch_saved):
        g = latentlab.load(torch_saved(g_ema=foreign.rosinality_g())).generator
        w = g.mapping(torch.randn(100_000, 5, generator=torch.Generator().manual_seed(9)))[:, 0]
        error = w.std(dim=0) * (1 / 4096 + 1 / 100_000) ** 0.5  # of the difference of two means
        assert ((g.w_mean - w.mean(dim=0)).abs() < 5 * error).all()
        again = latentlab.load(torch_saved(g_ema=foreign.rosinality_g())).generator
        assert torch.equal(g.w_mean, again.w_mean)

    def test_older_files_without_noise_maps_get_those_of_a_fixed_seed(self, torch_saved):
        g = foreign.rosinality_g()
        bare = {name: tensor for name, tensor in g.items() if not name.startswith("noises.")}
        path = torch_saved(g_ema=bare, g=bare, latent_avg=torch.zeros(5))
        checkpoint, again = latentlab.load(path), latentlab.load(path)
        assert len(checkpoint.metadata["notes"]) == 1
        assert "no noise maps" in checkpoint.metadata["notes"][0]
        layers = checkpoint.generator.synthesis.noise_layers
        maps = [layer.noise_const[None, None] for layer in layers]
        assert [noise.shape[-1] for noise in maps] == [4, 8, 8, 16, 16]
        assert not torch.equal(maps[1], maps[2])
        assert all(noise.std() > 0.5 for noise in maps)
        full = latentlab.load(torch_saved(g_ema=g, latent_avg=torch.zeros(5))).generator
        z = torch.ones(1, 5)
        for opened in (checkpoint, again):
            assert torch.equal(opened.generator(z), full(z, noise=maps))
            assert torch.equal(opened.raw_generator(z), full(z, noise=maps))


class TestRefusals:
    def check(self, path, kind, *words):
        with pytest.raises(kind) as caught:
            latentlab.load(path)
        message = str(caught.value)
        assert [word for word in (str(path), *words) if word not in message] == [], message

    def test_missing_weights_are_all_named(self, torch_saved):
        g = foreign.rosinality_g()
        for name in ("noises.noise_0", "style.2.bias", "to_rgbs.0.upsample.kernel"):
            del g[name]
        self.check(torch_saved(g_ema=g), CheckpointError, "g_ema", "noises.noise_0", "style.2.bias",
                   "to_rgbs.0.upsample.kernel")  # fmt: skip

    def test_unknown_weights_are_all_named(self, torch_saved):
        g = foreign.rosinality_g() | {"extra.weight": torch.ones(1), "style.9.bias": torch.ones(1)}
        self.check(
            torch_saved(g_ema=g), CheckpointError, "no known layer", "extra.weight", "style.9.bias"
        )

    @pytest.mark.parametrize("name", ["convs.0.conv.blur.kernel", "to_rgbs.1.upsample.kernel"])
    @pytest.mark.parametrize("taps", TAPS)
    def test_other_filters(self, name, taps, torch_saved):
        g, line = foreign.rosinality_g(), torch.tensor(taps)
        g[name] = torch.outer(line, line) / line.sum() ** 2 * 4
        path = torch_saved(g_ema=g, d=foreign.rosinality_d())
        self.check(path, UnsupportedCheckpoint, "g_ema", name, "not the usual filter")

    @pytest.mark.parametrize("taps", TAPS)
    def test_discriminators_with_other_filters_are_left_aside(self, taps, torch_saved):
        d, line = foreign.rosinality_d(), torch.tensor(taps)
        d["convs.1.skip.0.kernel"] = torch.outer(line, line) / line.sum() ** 2
        opened = latentlab.load(torch_saved(g_ema=foreign.rosinality_g(), d=d))
        assert list(opened.networks) == ["G_ema"]
        assert opened.metadata["ignored"] == ["d"]
        assert "convs.1.skip.0.kernel is not the usual filter" in opened.metadata["notes"][-1]

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("input.input", (4, 4)), ("input.input", (2, 8, 4, 4)), ("conv1.conv.weight", ()),
            ("convs.0.conv.weight", (1, 8, 8)), ("noises.noise_1", (1, 1, 9, 9)),
            ("to_rgb1.conv.weight", (3, 8, 1, 1)), ("to_rgbs.0.bias", (4,)),
            ("style.1.weight", (5,)), ("style.2.weight", (6, 5)), ("conv1.noise.weight", (2,)),
            ("conv1.conv.modulation.weight", (5,)), ("convs.2.conv.weight", (1, 10**4, 8, 3, 3)),
        ],
    )  # fmt: skip
    def test_weights_of_other_shapes(self, name, shape, torch_saved):
        g = foreign.rosinality_g() | {name: torch.zeros(shape)}
        self.check(torch_saved(g_ema=g), CheckpointError, "g_ema")

    @pytest.mark.parametrize(
        "value", [torch.ones(24, dtype=torch.int64), None, 3, {"a": 1}, [torch.ones(1)]]
    )
    def test_weights_that_are_none(self, value, torch_saved):
        g = foreign.rosinality_g() | {"convs.0.activate.bias": value}
        self.check(torch_saved(g_ema=g), CheckpointError, "g_ema", "convs.0.activate.bias")

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_not_finite(self, value, torch_saved):
        g = foreign.rosinality_g()
        g["convs.1.conv.weight"][0, 0, 0, 0, 0] = value
        path = torch_saved(g_ema=g, latent_avg=torch.zeros(5))
        self.check(path, CheckpointError, "NaN")
        assert latentlab.load(path, allow_nonfinite=True).generator.resolution == 16

    @pytest.mark.parametrize("mean", [torch.zeros(4), 3, torch.zeros(5, 5), {"a": 1}])
    def test_means_of_w_that_do_not_fit(self, mean, torch_saved):
        self.check(
            torch_saved(g_ema=foreign.rosinality_g(), latent_avg=mean), CheckpointError, "g_ema"
        )

    @pytest.mark.parametrize("part", [torch.ones(2), [1], 3])
    def test_networks_that_are_no_state_dict(self, part, torch_saved):
        self.check(torch_saved(g_ema=foreign.rosinality_g(), d=part), CheckpointError, ": d is not")

    def test_more_resolutions_than_any_network_has(self, torch_saved):
        g = foreign.rosinality_g()
        for i in range(2, 40):
            for name in [name for name in g if name.startswith("to_rgbs.0.")]:
                g[name.replace(".0.", f".{i}.", 1)] = g[name]
            g[f"convs.{2 * i}.conv.weight"] = g["convs.0.conv.weight"]
        self.check(torch_saved(g_ema=g), UnsupportedCheckpoint, "resolution")
