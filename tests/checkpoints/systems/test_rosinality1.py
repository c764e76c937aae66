"""Files of rosinality/style-based-gan-pytorch against that code's own outputs."""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from tests.support import foreign
from tests.support.tolerances import EQUAL_LAYOUT, FOREIGN_IMAGE, FOREIGN_SCORE, W


@pytest.fixture(scope="module")
def genuine(shared):
    """The genuine file, opened once, and that code's outputs as tensors."""
    with np.load(shared / "ros1_ref.npz") as file:
        ref = {name: torch.from_numpy(file[name]) for name in file.files}
    return latentlab.load(shared / "ros1_1024.model"), ref


@pytest.fixture
def render(genuine):
    """Render ws as their code does at a step of growth: at its own size, with the same noise."""
    checkpoint, ref = genuine
    synthesis = checkpoint.generator.synthesis

    def run(ws, step, alpha=1.0):
        synthesis.set_lod(8 - step + 1 - alpha)  # of 1024 px
        noise = []
        for i, shape in enumerate(synthesis.noise_shapes):
            if i <= step:  # one map a resolution, drawn from a seed of its own
                seed = int(ref[f"noise_seed_{i}"])
                drawn = np.random.RandomState(seed).randn(len(ws), *shape[1:])
                noise.append(torch.from_numpy(drawn.astype(np.float32)))
            else:
                noise.append(torch.zeros(shape))
        step_by = 2 ** (8 - step)
        return synthesis(ws, noise=noise)[:, :, ::step_by, ::step_by]

    yield run
    synthesis.set_lod(0)


def assert_images(found, expected):
    torch.testing.assert_close(found, expected, atol=FOREIGN_IMAGE, rtol=0)


class TestParity:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "stylegan1-rosinality"
        assert list(checkpoint.networks) == ["G_ema", "G", "D"]
        g = checkpoint.generator
        assert (g.resolution, g.channels, g.z_dim, g.w_dim, g.num_ws) == (1024, 3, 64, 64, 18)
        assert g.config.channel_table == (32, 32, 32, 32, 16, 8, 8, 8, 8)
        assert g.config.fused_from == checkpoint.discriminator.config.fused_from == 128
        notes = checkpoint.metadata["notes"]
        assert len(notes) == 2
        assert "10240 random w" in notes[0]
        assert "noise" in notes[1]
        assert "ignored" not in checkpoint.metadata

    def test_w_and_its_mean(self, genuine):
        checkpoint, ref = genuine
        mapping = checkpoint.generator.mapping
        torch.testing.assert_close(mapping(ref["z"])[:, 0], ref["w"], atol=W, rtol=0)
        mean = mapping(ref["z_mean"])[:, 0].mean(dim=0, keepdim=True)
        torch.testing.assert_close(mean, ref["mean_style"], atol=W, rtol=0)

    @pytest.mark.parametrize("step", range(6))
    @pytest.mark.parametrize("alpha", [1, 0.5])
    def test_images_at_every_step_of_growth(self, step, alpha, genuine, render):
        checkpoint, ref = genuine
        name = f"img_step{step}_alpha{alpha}" + ("_s0" if step == 5 else "")
        if name not in ref:
            assert (step, alpha) in {(0, 0.5), (5, 0.5)}, name
            return
        ws = checkpoint.generator.mapping(ref["z"][: len(ref[name])])
        assert_images(render(ws, step, alpha), ref[name])

    def test_truncation_and_mixed_styles(self, genuine, render):
        checkpoint, ref = genuine
        mapping, mean = checkpoint.generator.mapping, ref["mean_style"]
        one, two = mapping(ref["z"]), mapping(ref["z2"])
        mixed = torch.cat([two[:, :4], one[:, 4:]], dim=1)  # resolutions 0 and 1
        assert_images(render(mean.lerp(one[:2], 0.7), 4), ref["img_step4_mean_sw07"])
        assert_images(render(mixed[:2], 4), ref["img_step4_mix01"])
        assert_images(render(mean.lerp(mixed, 0.7), 3), ref["img_step3_mix01_mean_sw07"])

    @pytest.mark.parametrize("step", [2, 3, 4])
    @pytest.mark.parametrize("alpha", [1, 0.5])
    def test_scores_at_every_step_of_growth(self, step, alpha, genuine):
        checkpoint, ref = genuine
        d = checkpoint.discriminator
        d.set_lod(8 - step + 1 - alpha)
        small = ref[f"img_step{step}_alpha1"]
        image = torch.nn.functional.interpolate(small, scale_factor=2 ** (8 - step))
        score = d(image)
        torch.testing.assert_close(
            score, ref[f"d_step{step}_alpha{alpha}"], atol=FOREIGN_SCORE, rtol=0
        )

    def test_a_native_copy_renders_the_same_bits(self, genuine, tmp_path):
        checkpoint, ref = genuine
        checkpoint.discriminator.set_lod(6)
        latentlab.save(checkpoint, tmp_path / "copy.safetensors")
        copy = latentlab.load(tmp_path / "copy.safetensors")
        z = ref["z"][:1]
        image = checkpoint.generator(z)
        assert torch.equal(copy.generator(z), image)
        assert torch.equal(copy.discriminator(image), checkpoint.discriminator(image))
        assert copy.metadata["notes"] == checkpoint.metadata["notes"]


class TestGains:
    """Their gains, folded into our weights, one layer against the formula."""

    def test_style_is_not_relative_to_one(self, torch_saved):
        found = foreign.rosinality1_g()
        layer = latentlab.load(torch_saved(g_running=found)).generator.synthesis.b8.layer1
        w = torch.randn(3, 5)
        style = "generator.progression.1.adain2.style.linear"
        theirs = w @ found[f"{style}.weight_orig"].T * (2 / 5) ** 0.5 + found[f"{style}.bias"]
        scale, shift = layer.affine(w).chunk(2, dim=1)
        torch.testing.assert_close(torch.cat([scale + 1, shift], dim=1), theirs)

    def test_noise_and_rgb(self, torch_saved):
        found = foreign.rosinality1_g()
        block = latentlab.load(torch_saved(g_running=found)).generator.synthesis.b8
        weight = found["generator.progression.1.noise1.weight_orig"].flatten()
        torch.testing.assert_close(block.layer0.noise_strength, weight * (2 / 8) ** 0.5)
        rgb = found["generator.to_rgb.1.conv.weight_orig"] * (2 / 8) ** 0.5
        torch.testing.assert_close(block.torgb.weight * block.torgb.weight_gain, rgb)

    @pytest.mark.parametrize("fused_from", [1, 2, 5])
    def test_upsampling_is_fused_where_the_names_say_so(self, fused_from, torch_saved):
        found = foreign.rosinality1_g(fused_from=fused_from)
        d = foreign.rosinality1_d(fused_from=fused_from)
        checkpoint = latentlab.load(torch_saved(g_running=found, discriminator=d))
        expected = {1: 8, 2: 16, 5: None}[fused_from]
        assert checkpoint.config.fused_from == expected
        assert checkpoint.discriminator.config.fused_from == expected
        if expected:
            # All features equal and far from the border: the sum of the kernel counts.
            layer = checkpoint.generator.synthesis.get_submodule(f"b{expected}.layer0")
            name = f"generator.progression.{fused_from}.conv1.0.weight"
            ours = layer.weight.sum(dim=[2, 3]) * layer.weight_gain
            fan_in = found[name].shape[0] * 9
            theirs = found[name].sum(dim=[2, 3]).T / 4 * (2 / fan_in) ** 0.5
            torch.testing.assert_close(ours, theirs)


class TestStages:
    """All resolutions up to 1024 px are in a file, whatever it was trained for."""

    @pytest.mark.parametrize("trained", [1, 2, 3, 4])
    def test_untrained_stages_are_left_out(self, trained, torch_saved):
        parts = {
            "generator": foreign.rosinality1_g(trained=trained),
            "discriminator": foreign.rosinality1_d(trained=trained),
        }
        checkpoint = latentlab.load(torch_saved(**parts))
        size = 4 * 2 ** (trained - 1)
        assert checkpoint.generator.resolution == size
        assert checkpoint.discriminator.config.resolution == size
        note = f"The layers above {size} px were never trained and are left out."
        assert (note in checkpoint.metadata["notes"]) == (trained < 4)
        assert checkpoint.discriminator(checkpoint.generator(torch.ones(2, 5))).isfinite().all()

    def test_what_is_left_is_as_before(self, torch_saved):
        """The same image as the whole network's at that stage of growth."""
        found = foreign.rosinality1_g(trained=3)
        cut = latentlab.load(torch_saved(g_running=found)).generator
        found["generator.progression.3.conv2.conv.bias"][0] = 1e-30  # a sign of training
        whole = latentlab.load(torch_saved(g_running=found)).generator
        assert (cut.resolution, whole.resolution) == (16, 32)
        z = torch.randn(2, 5)
        whole.synthesis.set_lod(1)
        image = whole(z)[:, :, ::2, ::2]
        torch.testing.assert_close(cut(z), image, atol=EQUAL_LAYOUT, rtol=0)

    def test_networks_of_one_file_have_one_size(self, torch_saved):
        """The averaged generator lags behind by a step; the other one says how far it got."""
        parts = {"g_running": foreign.rosinality1_g(trained=2)}
        parts |= {"generator": foreign.rosinality1_g(trained=3)}
        parts |= {"discriminator": foreign.rosinality1_d(trained=3)}
        checkpoint = latentlab.load(torch_saved(**parts))
        assert checkpoint.generator.resolution == checkpoint.raw_generator.resolution == 16
        assert checkpoint.discriminator.config.resolution == 16

    def test_a_network_before_training_stays_whole(self, torch_saved):
        checkpoint = latentlab.load(torch_saved(g_running=foreign.rosinality1_g(trained=0)))
        assert checkpoint.generator.resolution == 32
        assert not any("left out" in note for note in checkpoint.metadata["notes"])


class TestContents:
    def test_a_bare_generator_opens(self, tmp_path):
        torch.save(foreign.rosinality1_g(), tmp_path / "100000.model")
        checkpoint = latentlab.load(tmp_path / "100000.model")
        assert list(checkpoint.networks) == ["G_ema"]

    def test_a_training_run_opens_without_its_optimisers(self, torch_saved):
        """torch before 1.5 named parameters by their addresses."""
        optim = {"state": {140_352_943_746_384: {"step": 1, "exp_avg": torch.ones(2)}}}
        found = {"generator": foreign.rosinality1_g(), "g_optimizer": optim, "d_optimizer": optim}
        checkpoint = latentlab.load(torch_saved(**found, discriminator=foreign.rosinality1_d()))
        assert list(checkpoint.networks) == ["G", "D"]
        assert checkpoint.generator is checkpoint.raw_generator
        assert checkpoint.metadata["ignored"] == ["g_optimizer", "d_optimizer"]

    @pytest.mark.parametrize("activated", [True, False])
    def test_the_activation_after_rgb_is_told_by_its_names(self, activated, torch_saved):
        d = foreign.rosinality1_d(activated=activated)
        found = latentlab.load(torch_saved(g_running=foreign.rosinality1_g(), discriminator=d))
        assert found.discriminator.config.from_rgb_activation is activated

    def test_noise_and_mean_are_always_the_same(self, torch_saved):
        path = torch_saved(
            g_running=foreign.rosinality1_g(), generator=foreign.rosinality1_g(seed=3)
        )
        first, second = latentlab.load(path), latentlab.load(path)
        for name, tensor in first.generator.state_dict().items():
            assert torch.equal(tensor, second.generator.state_dict()[name]), name
        layers = first.generator.synthesis.noise_layers
        for i, layer in enumerate(layers):
            twin = first.raw_generator.synthesis.noise_layers[i]
            assert torch.equal(layer.noise_const, twin.noise_const)
            assert 0.5 < layer.noise_const.std() < 1.5
        assert len({layer.noise_const.flatten()[0].item() for layer in layers}) == len(layers)


class TestRefusals:
    def check(self, path, kind, *words):
        with pytest.raises(kind) as caught:
            latentlab.load(path)
        message = str(caught.value)
        assert [word for word in (str(path), *words) if word not in message] == [], message

    def test_the_early_version(self, torch_saved):
        g = foreign.rosinality1_g()
        for part in ("weight_orig", "bias"):
            theirs = g.pop(f"generator.progression.1.conv1.1.conv.{part}")
            g[f"generator.progression.1.conv1.conv.{part}"] = theirs
        self.check(torch_saved(g_running=g), UnsupportedCheckpoint, "early version")

    def test_missing_and_unknown_weights_are_named(self, torch_saved):
        g = foreign.rosinality1_g()
        del g["generator.progression.2.noise2.weight_orig"]
        self.check(torch_saved(g_running=g), CheckpointError, "progression.2.noise2.weight_orig")
        g = foreign.rosinality1_g() | {"generator.blur": torch.ones(1)}
        self.check(torch_saved(g_running=g), CheckpointError, "no known layer: generator.blur")
        d = foreign.rosinality1_d() | {"progression.1.conv3.bias": torch.ones(1)}
        path = torch_saved(g_running=foreign.rosinality1_g(), discriminator=d)
        self.check(path, CheckpointError, "progression.1.conv3.bias")

    @pytest.mark.parametrize("name", ["conv1.2.weight", "conv1.2.weight_flip"])
    def test_other_blurs(self, name, torch_saved):
        g = foreign.rosinality1_g()
        g[f"generator.progression.1.{name}"][0, 0, 0, 0] += 0.1
        self.check(torch_saved(g_running=g), UnsupportedCheckpoint, name, "not the usual filter")

    def test_fused_layers_below_others(self, torch_saved):
        g = foreign.rosinality1_g(fused_from=2)
        other = foreign.rosinality1_g()
        for part in ("conv1.0.weight", "conv1.0.bias"):
            del g[f"generator.progression.3.{part}"]
        for part in ("conv1.1.conv.weight_orig", "conv1.1.conv.bias"):
            g[f"generator.progression.3.{part}"] = other[f"generator.progression.3.{part}"]
        self.check(torch_saved(g_running=g), CheckpointError, "progression.3.conv1.0.weight")

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("generator.progression.0.conv1.input", (2, 8, 4, 4)),
            ("generator.progression.1.conv2.conv.weight_orig", (8,)),
            ("generator.progression.1.noise1.weight_orig", (1, 7, 1, 1)),
            ("generator.progression.2.adain1.style.linear.bias", (7,)),
            ("generator.to_rgb.0.conv.weight_orig", (3, 8)),
            ("style.1.linear.weight_orig", ()),
        ],
    )
    def test_weights_of_other_shapes(self, name, shape, torch_saved):
        g = foreign.rosinality1_g() | {name: torch.ones(shape)}
        self.check(torch_saved(g_running=g), CheckpointError, "g_running")

    @pytest.mark.parametrize("part", [torch.ones(2), [1], 3])
    def test_networks_that_are_no_state_dict(self, part, torch_saved):
        path = torch_saved(g_running=foreign.rosinality1_g(), discriminator=part)
        self.check(path, CheckpointError, "discriminator is not")
