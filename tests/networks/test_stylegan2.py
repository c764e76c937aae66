import numpy as np
import pytest
import torch

import latentlab
from latentlab import LatentError, SettingsError
from latentlab.latents import mix_styles
from tests.conftest import make_generator
from tests.support import reference
from tests.support.tolerances import EQUAL_LAYOUT, FLOAT64, IMAGE, IMAGE_FLOAT64, W

ARCHITECTURES = ["skip", "resnet", "orig"]


def as_float64(network):
    return {key: value.double().numpy() for key, value in network.state_dict().items()}


def draw(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.fixture(params=["skip", "cond"])
def official(request, shared):
    """A genuine generator with labels or without, and what the original code computes."""
    ckpt = latentlab.load(shared / f"ada_{request.param}_32_state.safetensors")
    return ckpt.generator, np.load(shared / f"ada_{request.param}_32_ref.npz")


class TestOfficialGenerator:
    def test_n07_w(self, official):
        g, ref = official
        z, c = torch.from_numpy(ref["z"]), torch.from_numpy(ref["c"])
        ws = g.mapping(z, c)
        assert ws.shape == (8, g.num_ws, g.w_dim)
        np.testing.assert_allclose(ws, np.repeat(ref["ws"], g.num_ws, 1), atol=W, rtol=0)
        truncated = g.mapping(z, c, truncation_psi=0.7, truncation_cutoff=4)
        np.testing.assert_allclose(truncated, ref["ws_psi07_cut4"], atol=W, rtol=0)

    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({}, "img_const"),
            ({"noise_mode": "none"}, "img_none"),
            ({"truncation_psi": 0.7}, "img_psi07_const"),
        ],
    )
    def test_n07_images(self, official, settings, key):
        g, ref = official
        images = g(torch.from_numpy(ref["z"]), torch.from_numpy(ref["c"]), **settings)
        np.testing.assert_allclose(images, ref[key], atol=IMAGE, rtol=0)

    def test_rgb_by_resolution(self, official):
        g, ref = official
        ws = torch.from_numpy(np.repeat(ref["ws"][:2], g.num_ws, 1))
        for resolution, rgb in g.rgb_by_resolution(ws).items():
            np.testing.assert_allclose(rgb, ref[f"torgb_b{resolution}"], atol=IMAGE, rtol=0)

    def test_style_mixing(self, official):
        g, ref = official
        ws = torch.from_numpy(np.repeat(ref["ws"], g.num_ws, 1))
        mixed = mix_styles(ws[:1], ws[1:2], range(4))
        expected = ref["img_mix_0_cols0to3_from1"]
        np.testing.assert_allclose(g.synthesis(mixed), expected, atol=IMAGE, rtol=0)

    def test_byte_pictures(self, official):
        g, ref = official
        images = g(torch.from_numpy(ref["z"]), torch.from_numpy(ref["c"]), truncation_psi=0.7)
        pixels = latentlab.images.to_uint8(images).permute(0, 2, 3, 1).numpy()
        off = np.abs(pixels.astype(int) - ref["u8_psi07_const"])
        assert off.max() <= 1  # a value at a byte's edge may fall to either side
        assert (off > 0).mean() < 1e-3


def test_float64_is_closer_than_float32(shared):
    g = latentlab.load(shared / "ada_skip_32_state.safetensors").generator.double()
    ref = np.load(shared / "ada_skip_32_ref.npz")
    images = g(torch.from_numpy(ref["z"]))
    assert images.dtype == torch.float64
    expected = np.load(shared / "ada_skip_32_f64.npz")["img_const"]
    np.testing.assert_allclose(images, expected, atol=IMAGE_FLOAT64, rtol=0)


def test_n07_official_generator_kept_in_the_repository(data):
    g = latentlab.load(data / "ada_cond_32_generator.safetensors").generator
    ref = np.load(data / "ada_cond_32_ref.npz")
    z, c = torch.from_numpy(ref["z"]), torch.from_numpy(ref["c"])
    np.testing.assert_allclose(g.mapping(z, c)[:, :1], ref["ws"], atol=W, rtol=0)
    np.testing.assert_allclose(g(z, c), ref["img_const"], atol=IMAGE, rtol=0)
    np.testing.assert_allclose(
        g(z, c, truncation_psi=0.7), ref["img_psi07_const"], atol=IMAGE, rtol=0
    )


@pytest.mark.parametrize("taps", [(1.0, 3.0, 3.0, 1.0), (1.0, 2.0, 1.0)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_synthesis_equals_plain_numpy(architecture, taps):
    g = make_generator(architecture=architecture, resample_filter=taps).double()
    ws = draw([2, g.num_ws, g.w_dim])
    weights = as_float64(g)
    expected = [reference.synthesis(weights, w.numpy(), 16, architecture) for w in ws]
    np.testing.assert_allclose(g.synthesis(ws), np.stack(expected), atol=FLOAT64)


@pytest.mark.parametrize("c_dim", [0, 3])
def test_mapping_equals_plain_numpy(c_dim):
    g = make_generator(c_dim=c_dim, mapping_layers=3, embed_features=4, layer_features=7).double()
    z, c = draw([2, g.z_dim]), torch.eye(3, dtype=torch.float64)[:2]
    weights = as_float64(g)
    for i, w in enumerate(g.mapping(z, c if c_dim else None)[:, 0]):
        label = c[i].numpy() if c_dim else None
        expected = reference.mapping(weights, z[i].numpy(), label, layers=3)
        np.testing.assert_allclose(w, expected, atol=FLOAT64)


class TestTruncation:
    g = make_generator()
    z = draw([3, 6]).float()

    def test_n09_psi_one_changes_nothing(self):
        torch.testing.assert_close(self.g.mapping(self.z, truncation_psi=1.0),
                                   self.g.mapping(self.z), atol=0, rtol=0)  # fmt: skip

    def test_n09_psi_zero_gives_the_mean(self):
        ws = self.g.mapping(self.z, truncation_psi=0.0)
        assert bool((ws == self.g.w_mean).all())

    @pytest.mark.parametrize("psi", [0.7, -1.0, 1.5])
    def test_psi_scales_the_deviation_up_to_the_cutoff(self, psi):
        ws, cut = self.g.mapping(self.z), self.g.mapping(self.z, None, psi, 2)
        expected = self.g.w_mean + psi * (ws[:, :2] - self.g.w_mean)
        torch.testing.assert_close(cut[:, :2], expected)
        torch.testing.assert_close(cut[:, 2:], ws[:, 2:], atol=0, rtol=0)

    def test_n09_cutoff_zero_truncates_nothing(self):
        cut = self.g.mapping(self.z, None, 0.0, 0)
        torch.testing.assert_close(cut, self.g.mapping(self.z), atol=0, rtol=0)


class TestNoise:
    g = make_generator()
    ws = g.mapping(draw([2, 6]).float())

    def test_stored_maps_by_hand_give_the_constant_image(self):
        maps = [layer.noise_const[None, None] for layer in self.g.synthesis.noise_layers]
        by_hand = self.g.synthesis(self.ws, noise=maps)
        torch.testing.assert_close(by_hand, self.g.synthesis(self.ws), atol=0, rtol=0)

    def test_zero_maps_are_no_noise(self):
        maps = [torch.zeros(shape) for shape in self.g.synthesis.noise_shapes]
        by_hand = self.g.synthesis(self.ws, noise=maps)
        torch.testing.assert_close(by_hand, self.g.synthesis(self.ws, noise_mode="none"))

    def test_random_maps_differ_by_sample_and_repeat_with_the_generator(self):
        same = self.ws[:1].expand(2, -1, -1)
        first, again = (
            self.g.synthesis(same, "random", rng=torch.Generator().manual_seed(5)) for _ in range(2)
        )
        torch.testing.assert_close(first, again, atol=0, rtol=0)
        assert (first[0] - first[1]).abs().max() > 0.01

    @pytest.mark.parametrize("maps", [[], [torch.zeros(1, 1, 4, 4)] * 5])
    def test_wrong_maps_are_refused(self, maps):
        with pytest.raises(LatentError, match="noise"):
            self.g.synthesis(self.ws, noise=maps)

    @pytest.mark.parametrize("place", [0, -1])
    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (torch.tensor(1.0), r"must have shape \[.*\], but got \[\]"),
            (torch.zeros(4), r"must have shape .*, but got \[4\]"),
            (np.zeros([1, 1, 4, 4]), "must be a tensor, but got ndarray"),
            (1.0, "must be a tensor, but got float"), (None, "must be a tensor, but got NoneType"),
        ],
    )  # fmt: skip
    def test_maps_that_are_none_are_named(self, place, wrong, words):
        maps = [torch.zeros(shape) for shape in self.g.synthesis.noise_shapes]
        maps[place] = wrong
        name = rf"`noise\[{place % len(maps)}\]` "
        with pytest.raises(LatentError, match=name + words):
            self.g.synthesis(self.ws, noise=maps)

    @pytest.mark.parametrize(
        "maps", [1.0, torch.tensor(1.0), torch.zeros(5), "const", {}, iter([])]
    )
    def test_noise_that_is_no_list_of_maps_is_refused(self, maps):
        with pytest.raises(LatentError, match=r"`noise` must be a list of \d maps, but got"):
            self.g.synthesis(self.ws, noise=maps)

    def test_unknown_mode_is_refused(self):
        with pytest.raises(SettingsError, match="noise_mode"):
            self.g.synthesis(self.ws, noise_mode="loud")

    def test_a_network_without_noise_ignores_the_mode(self):
        g = make_generator(use_noise=False)
        images = [g.synthesis(self.ws, mode) for mode in ("const", "random", "none")]
        assert g.synthesis.noise_shapes == []
        torch.testing.assert_close(images[0], images[1], atol=0, rtol=0)
        torch.testing.assert_close(images[0], g.synthesis(self.ws, noise=[]), atol=0, rtol=0)


def test_n08_upsampled_contributions_sum_to_the_image():
    g = make_generator(resolution=32)
    ws = draw([2, g.num_ws, g.w_dim]).float()
    parts = g.rgb_by_resolution(ws)
    assert {size: tuple(rgb.shape) for size, rgb in parts.items()} == {
        size: (2, 3, size, size) for size in (4, 8, 16, 32)
    }
    total = sum(g.synthesis.upsample_rgb(rgb) for rgb in parts.values())
    torch.testing.assert_close(total, g.synthesis(ws), atol=EQUAL_LAYOUT, rtol=0)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_only_a_skip_generator_has_contributions(architecture):
    g = make_generator(architecture=architecture)
    with pytest.raises(LatentError, match="skip"):
        g.rgb_by_resolution(torch.zeros(1, g.num_ws, g.w_dim))


@pytest.mark.parametrize(("field", "value"), [("z", [2, 7]), ("ws", [2, 6, 6]), ("ws", [2, 5])])
def test_wrong_shapes_are_named(field, value):
    g = make_generator()
    call = g.mapping if field == "z" else g.synthesis
    with pytest.raises(LatentError, match=f"`{field}` must have shape"):
        call(torch.zeros(value))


def test_a_missing_label_is_named():
    g = make_generator(c_dim=3)
    with pytest.raises(LatentError, match=r"needs `c`.*3"):
        g.mapping(torch.zeros(1, g.z_dim))


@pytest.mark.parametrize(("resolution", "channels", "num_ws"), [(4, 1, 2), (8, 3, 4), (64, 4, 10)])
def test_sizes(resolution, channels, num_ws):
    g = make_generator(resolution=resolution, channels=channels)
    assert (g.resolution, g.channels, g.num_ws) == (resolution, channels, num_ws)
    images = g(torch.zeros(2, g.z_dim))
    assert images.shape == (2, channels, resolution, resolution)
    assert images.is_contiguous()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_activations_are_clamped_where_the_config_says(architecture):
    g = make_generator(architecture=architecture, conv_clamp=0.5).double()
    ws = draw([2, g.num_ws, g.w_dim]) * 3
    weights = as_float64(g)
    expected = [reference.synthesis(weights, w.numpy(), 16, architecture, 0.5) for w in ws]
    np.testing.assert_allclose(g.synthesis(ws), np.stack(expected), atol=FLOAT64)
    free = make_generator(architecture=architecture).double().synthesis(ws)
    assert (free - g.synthesis(ws)).abs().max() > 0.1


def test_a_filter_of_other_length_is_kept_by_resampling_layers_alone():
    state = make_generator(architecture="resnet", resample_filter=(1.0, 2.0, 1.0)).state_dict()
    sizes = {key: len(value) for key, value in state.items() if key.endswith("resample_filter")}
    assert sizes == {key: 4 if ".conv1." in key else 3 for key in sizes}, (
        "the official state dict has the default filter where nothing is resampled"
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_first_and_second_derivatives(architecture):
    g = make_generator(architecture=architecture, resolution=8, channel_max=3).double()
    ws = draw([1, g.num_ws, g.w_dim]).requires_grad_(True)
    assert torch.autograd.gradcheck(g.synthesis, [ws])
    assert torch.autograd.gradgradcheck(g.synthesis, [ws])


def test_a_batch_renders_what_single_samples_render():
    g = make_generator()
    ws = draw([3, g.num_ws, g.w_dim]).float()
    single = torch.cat([g.synthesis(w[None]) for w in ws])
    torch.testing.assert_close(g.synthesis(ws), single, atol=EQUAL_LAYOUT, rtol=0)
