"""Stages of files of huangzh13/StyleGAN.pytorch: those that were never trained are left out."""

import pytest
import torch

import latentlab
from latentlab import CheckpointError, SettingsError
from tests.conftest import make_stylegan1, make_stylegan1_discriminator
from tests.support import renamed
from tests.support.tolerances import EQUAL_LAYOUT


def make_g():
    return make_stylegan1(instance_norm_epsilon=1e-5)


@pytest.fixture
def saved(tmp_path):
    def run(found, name="model.pth"):
        torch.save(found, tmp_path / name)
        return tmp_path / name

    return run


def untrained(found, *starts):
    """Bring what begins so to its values before training."""
    for name, tensor in found.items():
        if name.startswith(starts) and name.endswith((".bias", ".noise.weight")):
            found[name] = torch.zeros_like(tensor)
    return found


class TestStages:
    """All resolutions are in a file, whatever it was trained for."""

    STARTS = ("g_synthesis.blocks.0.", "g_synthesis.blocks.1.", "g_synthesis.to_rgb.1.",
              "g_synthesis.to_rgb.2.")  # fmt: skip

    @pytest.mark.parametrize(("trained", "starts"), [(3, ()), (2, STARTS[1::2]), (1, STARTS)])
    def test_untrained_stages_of_a_generator_are_left_out(self, trained, starts, saved):
        g = make_g()
        found = untrained(renamed.huangzh13_g(g), *starts)
        checkpoint = latentlab.load(saved(found))
        size = 4 * 2 ** (trained - 1)
        assert checkpoint.generator.resolution == size
        note = f"The layers above {size} px were never trained and are left out."
        assert (note in checkpoint.metadata["notes"]) == (trained < 3)
        z, noise = torch.randn(2, g.z_dim), [torch.randn(s) for s in g.synthesis.noise_shapes]
        g.synthesis.set_lod(3 - trained)
        step = 16 // size
        expected = g(z, noise=noise)[:, :, ::step, ::step]
        image = checkpoint.generator(z, noise=noise[: 2 * trained])
        torch.testing.assert_close(image, expected, atol=EQUAL_LAYOUT, rtol=0)

    @pytest.mark.parametrize("trained", [3, 2, 1])
    def test_untrained_stages_of_a_discriminator_are_left_out(self, trained, saved):
        starts = [f"{part}.{i}." for i in range(3 - trained) for part in ("blocks", "from_rgb")]
        found = untrained(
            renamed.huangzh13_d(make_stylegan1_discriminator(from_rgb_activation=False)), *starts
        )
        checkpoint = latentlab.load(saved(found))
        size = 4 * 2 ** (trained - 1)
        assert checkpoint.discriminator.config.resolution == size
        note = f"The layers above {size} px were never trained and are left out."
        assert checkpoint.metadata.get("notes", []) == ([note] if trained < 3 else [])

    def test_a_network_before_training_stays_whole(self, saved):
        found = untrained(renamed.huangzh13_g(make_g()), "g_synthesis.")
        assert latentlab.load(saved(found)).generator.resolution == 16

    def test_a_name_that_says_less_than_the_weights_is_noted(self, saved):
        path = saved(renamed.huangzh13_g(make_g()), "GAN_GEN_SHADOW_1_20.pth")
        checkpoint = latentlab.load(path)
        assert checkpoint.generator.resolution == 16
        assert any("assume depth=1" in note for note in checkpoint.metadata["notes"])

    @pytest.mark.parametrize("depth", [0, 1, "1", 2])
    def test_a_depth_that_is_assumed(self, depth, saved):
        path = saved(renamed.huangzh13_g(make_g()), "GAN_GEN_0_1.pth")
        checkpoint = latentlab.load(path, assume={"depth": depth})
        assert checkpoint.generator.resolution == 4 * 2 ** int(depth)
        notes = checkpoint.metadata["notes"]
        assert any("left out" in note for note in notes) == (depth != 2)
        assert not any("assume" in note for note in notes)

    @pytest.mark.parametrize("depth", [-1, 9, "high", 1.0, True])
    def test_other_depths(self, depth, saved):
        path = saved(renamed.huangzh13_g(make_g()))
        with pytest.raises(SettingsError, match="depth must be one of none, 0, 1, "):
            latentlab.load(path, assume={"depth": depth})

    def test_a_depth_that_the_file_has_not(self, saved):
        path = saved(renamed.huangzh13_g(make_g()))
        with pytest.raises(CheckpointError, match=r"depth is assumed to be 3.* go to 2"):
            latentlab.load(path, assume={"depth": 3})
