import numpy as np
import pytest
import torch

import latentlab
from latentlab import LatentError, SettingsError
from tests.conftest import make_stylegan3
from tests.support.generators import stylegan3_reference as reference
from tests.support.tolerances import EPSILON, IMAGE, SCORE, W

RADIAL = {"conv_kernel": 1, "use_radial_filters": True}  # config R
HALF = 2e-3  # absolute, of features up to 4 that the reference data hold as float16
BATCH = 1e-5  # absolute, float32: the same image alone and in a batch


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def ws_of(g, n=2):
    return g.mapping(draw(n, g.z_dim))


class TestOfficialGenerator:
    """A genuine config T snapshot, and what the original code computes from it."""

    @pytest.fixture
    def official(self, shared):
        opened = latentlab.load(shared / "sg3t_32.pkl")
        return opened, opened.generator, np.load(shared / "sg3t_32_ref.npz")

    def test_w(self, official):
        _, g, ref = official
        z = torch.from_numpy(ref["z"])
        ws = g.mapping(z)
        assert ws.shape == (4, 16, 64)
        np.testing.assert_allclose(ws, np.repeat(ref["ws"], 16, 1), atol=W, rtol=0)
        np.testing.assert_allclose(g.mapping(z, None, 0.7)[:, :1], ref["ws_psi07"], atol=W, rtol=0)
        cut = g.mapping(z[:2], None, 0.7, 4)
        np.testing.assert_allclose(cut, ref["ws_psi07_cut4"], atol=W, rtol=0)

    def test_images(self, official):
        _, g, ref = official
        z = torch.from_numpy(ref["z"])
        np.testing.assert_allclose(g(z), ref["img"], atol=IMAGE, rtol=0)
        truncated = g(z, truncation_psi=0.7)
        np.testing.assert_allclose(truncated, ref["img_psi07"], atol=IMAGE, rtol=0)

    def test_features_of_each_layer(self, official):
        _, g, ref = official
        wanted = {key[2:-3]: ref[key] for key in ref.files if key.startswith("x_")}
        assert len(wanted) == 5
        found = {}
        for name in wanted:
            g.synthesis.get_submodule(name).register_forward_hook(
                lambda _module, _given, x, name=name: found.__setitem__(name, x[0])
            )
        g(torch.from_numpy(ref["z"]))
        for name, expected in wanted.items():
            limit = HALF if expected.dtype == np.float16 else IMAGE
            np.testing.assert_allclose(found[name], expected, atol=limit, rtol=0)

    def test_a_turned_and_shifted_picture(self, official):
        _, g, ref = official
        g.synthesis.input.set_transform(torch.from_numpy(ref["transform_inverse"]))
        images = g(torch.from_numpy(ref["z"][:2]))
        np.testing.assert_allclose(images, ref["img_transformed_s01"], atol=IMAGE, rtol=0)
        assert np.abs(ref["img_transformed_s01"] - ref["img"][:2]).max() > 1000 * IMAGE

    def test_scores(self, official):
        opened, _, ref = official
        scores = opened.discriminator(torch.from_numpy(ref["img"]))
        np.testing.assert_allclose(scores, ref["d_n4"], atol=SCORE, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        RADIAL,
        {"lrelu_upsampling": 1},
        {**RADIAL, "lrelu_upsampling": 4},
        {"margin_size": 0, "filter_size": 5, "conv_kernel": 2},
        {"num_critical": 2, "num_layers": 5, "last_stopband_rel": 1.0, "output_scale": 2.0},
        {**RADIAL, "conv_clamp": None, "channels": 1},
    ],
    ids=str,
)
def test_synthesis_equals_plain_numpy(settings):
    g = make_stylegan3(**settings).double()
    ws = ws_of(g)
    weights = {key: value.numpy() for key, value in g.state_dict().items()}
    expected = reference.synthesis(weights, ws.numpy(), g.config)
    np.testing.assert_allclose(g.synthesis(ws), expected, atol=EPSILON, rtol=0)


@pytest.mark.parametrize("clamp", [0.1, 0.5])
def test_activations_are_clamped_where_the_config_says(clamp):
    g = make_stylegan3(conv_clamp=clamp).double()
    ws = ws_of(g)
    weights = {key: value.numpy() for key, value in g.state_dict().items()}
    expected = reference.synthesis(weights, ws.numpy(), g.config)
    np.testing.assert_allclose(g.synthesis(ws), expected, atol=EPSILON, rtol=0)
    assert (g.synthesis(ws) - make_stylegan3().double().synthesis(ws)).abs().max() > 0.01


def test_the_first_layer_of_config_r_filters_in_a_circle():
    """Its filter down is not separable, and the same whichever way the picture is turned."""
    kernel = make_stylegan3(**RADIAL).synthesis.layers[0].down_filter
    assert kernel.shape == (12, 12)
    torch.testing.assert_close(kernel.rot90(), kernel)
    assert torch.linalg.matrix_rank(kernel.double(), rtol=1e-3) > 1


# Equivariance, the promise of the paper: what moves the input's coordinates moves the picture.

FINE = {"resolution": 32, "num_layers": 6, "num_critical": 2, "first_cutoff": 2.0,
        "first_stopband": 2**2.1, "margin_size": 10, "channel_base": 256}  # fmt: skip


def transformed(g, ws, matrix):
    g.synthesis.input.set_transform(torch.tensor(matrix, dtype=torch.float64))
    return g.synthesis(ws)


UPRIGHT = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("settings", [{}, FINE], ids=["coarse", "fine"])
def test_config_r_turns_with_its_input_exactly(settings):
    """By right angles, samples fall on samples: any layer that is off centre would show."""
    g = make_stylegan3(**RADIAL, **settings).double()
    ws = ws_of(g)
    upright = transformed(g, ws, UPRIGHT)
    turned = transformed(g, ws, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    torch.testing.assert_close(turned, upright.rot90(-1, [2, 3]), atol=1e-12, rtol=0)
    mirrored = transformed(g, ws, [[-1, 0, 0], [0, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(mirrored, upright.flip(3), atol=1e-12, rtol=0)
    assert (turned - upright).abs().max() > 0.05


# Largest differences measured inside, as the picture moves by 0.01 (R) and 0.17 (T): a step of one
# pixel is half a sample at the first rate, where filters leave a little of what they should stop.
@pytest.mark.parametrize(
    ("settings", "pixels", "limit"),
    [(RADIAL, 1, 1e-5), (RADIAL, 2, 1e-9), ({}, 1, 2e-4), ({}, 2, 5e-6)],
    ids=["R, 1", "R, 2", "T, 1", "T, 2"],
)
def test_the_picture_shifts_with_its_input(settings, pixels, limit):
    g = make_stylegan3(**FINE, **settings).double()
    ws = ws_of(g)
    inside = (..., slice(8, -8), slice(8, -8))  # what comes in at the border stays outside
    upright = transformed(g, ws, UPRIGHT)
    step = pixels / g.resolution
    shifted = transformed(g, ws, [[1, 0, -step], [0, 1, step], [0, 0, 1]])
    expected = upright.roll((-pixels, pixels), (2, 3))  # up and to the right
    torch.testing.assert_close(shifted[inside], expected[inside], atol=limit, rtol=0)
    assert (shifted - upright)[inside].abs().max() > 500 * limit


def test_the_genuine_network_shifts_with_its_input(shared):
    """Four pixels move its pictures by 0.06 inside; 2e-4 is left after moving them back."""
    g = latentlab.load(shared / "sg3t_32.pkl").generator.double()
    ws = g.mapping(torch.from_numpy(np.load(shared / "sg3t_32_ref.npz")["z"]))
    upright = transformed(g, ws, UPRIGHT)
    shifted = transformed(g, ws, [[1, 0, -4 / 32], [0, 1, 0], [0, 0, 1]])
    inside = (..., slice(10, -10), slice(10, -10))
    expected = upright.roll(4, 3)
    torch.testing.assert_close(shifted[inside], expected[inside], atol=4e-4, rtol=0)
    assert (shifted - upright)[inside].abs().max() > 0.04


def test_frequencies_above_the_sampling_rate_fade_out():
    """Shrunk eightfold, the coarse features would alias: nothing of them may be left."""
    g = make_stylegan3(**FINE).double()
    g.synthesis.input.set_transform(torch.diag(torch.tensor([1e3, 1e3, 1.0])))
    features = g.synthesis.input(ws_of(g)[:, 0])
    assert features.abs().max() == 0


# The library face.


def test_sizes():
    g = make_stylegan3(channels=4)
    assert (g.z_dim, g.w_dim, g.c_dim, g.num_ws, g.resolution, g.channels) == (6, 5, 0, 6, 16, 4)
    images = g(draw(3, 6))
    assert images.shape == (3, 4, 16, 16)
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    assert torch.equal(g.mapping(draw(1, 6), truncation_psi=0.0)[0, 0], g.w_mean)


def test_labels_change_w():
    g = make_stylegan3(c_dim=3)
    z = draw(1, 6)
    first, second = (g.mapping(z, label[None]) for label in torch.eye(3)[:2])
    assert (first - second).abs().max() > 1e-3


def test_each_layer_has_its_own_w():
    g = make_stylegan3().double()
    ws = ws_of(g)
    image = g.synthesis(ws)
    for i in range(g.num_ws):
        changed = ws.clone()
        changed[:, i] += 1
        assert (g.synthesis(changed) - image).abs().max() > 1e-3


def test_there_is_no_noise():
    g = make_stylegan3()
    ws = ws_of(g)
    assert g.synthesis.noise_shapes == []
    const, random, none = (g.synthesis(ws, mode) for mode in ("const", "random", "none"))
    assert torch.equal(const, random)
    assert torch.equal(const, none)
    assert torch.equal(const, g.synthesis(ws, noise=[]))
    with pytest.raises(LatentError, match="0 maps"):
        g.synthesis(ws, noise=[torch.zeros(1, 1, 16, 16)])
    with pytest.raises(SettingsError, match="noise_mode"):
        g.synthesis(ws, "loud")


@pytest.mark.parametrize("settings", [{}, RADIAL], ids=["T", "R"])
def test_an_image_does_not_depend_on_its_batch(settings):
    g = make_stylegan3(**settings)
    ws = ws_of(g, 4)
    alone = torch.cat([g.synthesis(w[None]) for w in ws])
    torch.testing.assert_close(g.synthesis(ws), alone, atol=BATCH, rtol=0)


def test_a_faint_image_does_not_depend_on_its_batch():
    """Beside styles so large, a magnitude common to the batch would make its own vanish."""
    layer = make_stylegan3().double().synthesis.layers[0]
    layer.affine.bias.zero_()
    x, w = draw(2, 6, 16, 16), draw(2, 5) * torch.tensor([1e-5, 1.0])[:, None]
    torch.testing.assert_close(layer(x, w)[:1], layer(x[:1], w[:1]), atol=1e-12, rtol=0)


def test_contributions_are_refused():
    g = make_stylegan3()
    with pytest.raises(LatentError, match="skip"):
        g.rgb_by_resolution(ws_of(g))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (torch.eye(2), r"\[3, 3\]"),
        (torch.zeros(1, 3, 3), r"\[3, 3\]"),
        (torch.full([3, 3], float("nan")), "finite"),
        (torch.full([3, 3], 1e300, dtype=torch.float64), "finite"),
    ],
    ids=["small", "batch", "NaN", "beyond float32"],
)
def test_a_transform_that_does_not_fit_is_refused(matrix, words):
    g = make_stylegan3()
    before = g.synthesis.input.transform.clone()
    with pytest.raises(LatentError, match=f"transform.*{words}"):
        g.synthesis.input.set_transform(matrix)
    assert torch.equal(g.synthesis.input.transform, before)


@pytest.mark.parametrize("settings", [{}, RADIAL], ids=["T", "R"])
def test_first_and_second_derivatives(settings):
    small = {"num_layers": 2, "resolution": 8, "channels": 1, "channel_max": 2, "w_dim": 2}
    g = make_stylegan3(**settings, **small, margin_size=0, filter_size=2).double()
    ws = ws_of(g, 1).requires_grad_(True)
    assert torch.autograd.gradcheck(g.synthesis, [ws])
    assert torch.autograd.gradgradcheck(g.synthesis, [ws])


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_picture_is_projected_without_noise_maps(space):
    g = make_stylegan3()
    target = g(draw(1, 6, seed=3))

    def distance(first, second):
        return (first - second).square().mean(dim=[1, 2, 3])

    result = latentlab.project(g, target, distance, space=space, steps=3)
    assert result.noise == []
    assert result.ws.shape == (1, g.num_ws, g.w_dim)
    assert torch.isfinite(result.images).all()
    assert (result.history["noise_penalty"] == 0).all()
