import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import correlate2d

from latentlab import LatentError
from latentlab.networks import ops
from latentlab.networks.stylegan1 import ConvLayer
from latentlab.networks.stylegan1_config import StyleGAN1Config
from tests.conftest import make_stylegan1
from tests.support.tolerances import FLOAT64


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def test_the_kernel_of_a_blur_is_made_once(monkeypatch):
    """It is neither weight nor buffer, and so in no state dict."""
    ops._blur_kernel.cache_clear()
    made = []
    make = ops.fir_kernel
    monkeypatch.setattr(ops, "fir_kernel", lambda taps: made.append(taps) or make(taps))
    x, taps = torch.randn(2, 3, 8, 8), (1.0, 2.0, 5.0)
    first = ops.blur(x, taps)
    for _ in range(3):
        torch.testing.assert_close(ops.blur(x, list(taps)), first, atol=0, rtol=0)
    assert len(made) == 1
    with torch.inference_mode():
        ops.blur(x, (1.0, 2.0, 7.0))
    ops.blur(x.requires_grad_(True), (1.0, 2.0, 7.0)).sum().backward()  # made in inference mode
    assert x.grad is not None


class TestResampling:
    """Fused layers against the same done in two steps, in float64."""

    def test_fused_upsampling_mirrors_the_kernel(self):
        x, weight = draw(2, 3, 6, 6), draw(4, 3, 3, 3, seed=1)
        doubled = F.interpolate(x, scale_factor=2, mode="nearest")
        expected = F.conv2d(doubled, weight.flip(2, 3), padding=1)
        torch.testing.assert_close(ops.fused_conv_up(x, weight), expected, atol=FLOAT64, rtol=0)

    def test_fused_downsampling_does_not(self):
        x, weight = draw(2, 3, 8, 8), draw(4, 3, 3, 3, seed=1)
        expected = F.avg_pool2d(F.conv2d(x, weight, padding=1), 2)
        torch.testing.assert_close(ops.fused_conv_down(x, weight), expected, atol=FLOAT64, rtol=0)

    @pytest.mark.parametrize("taps", [(1.0, 2.0, 1.0), (1.0, 2.0, 5.0), (1.0, 3.0)])
    def test_blur_equals_scipy(self, taps):
        x = draw(1, 2, 7, 7)
        kernel = np.outer(taps, taps) / np.sum(taps) ** 2
        padded = np.pad(x.numpy()[0], [(0, 0)] + [((len(taps) - 1) // 2, len(taps) // 2)] * 2)
        expected = [correlate2d(maps, kernel, mode="valid") for maps in padded]
        np.testing.assert_allclose(ops.blur(x, taps)[0], expected, atol=1e-6)  # float32 kernel

    def test_resampling_is_fused_by_size(self):
        g = make_stylegan1(fused_from=16)
        assert [g.synthesis.b8.layer0.fused, g.synthesis.b16.layer0.fused] == [False, True]


class TestStyle:
    def test_w_decides_mean_and_deviation_of_every_feature_map(self):
        """AdaIN: Eq. 1, Karras et al. 2019."""
        g = make_stylegan1().double()
        layer = g.synthesis.b8.layer1
        x, w = draw(3, 8, 8, 8), draw(3, 5, seed=1)
        y = layer(x, w, None)
        scale, shift = layer.affine(w).chunk(2, dim=1)
        torch.testing.assert_close(y.mean(dim=[2, 3]), shift, atol=FLOAT64, rtol=0)
        deviation = y.std(dim=[2, 3], correction=0)
        torch.testing.assert_close(deviation, (scale + 1).abs(), atol=1e-6, rtol=0)  # epsilon 1e-8

    def test_each_layer_has_its_own_w_and_noise(self):
        g = make_stylegan1().double()
        ws = g.mapping(draw(1, 6))
        image = g.synthesis(ws)
        for i in range(g.num_ws):
            changed = ws.clone()
            changed[:, i] += 1
            assert (g.synthesis(changed) - image).abs().max() > 1e-3
        maps = [layer.noise_const.expand(1, 1, -1, -1) for layer in g.synthesis.noise_layers]
        torch.testing.assert_close(g.synthesis(ws, noise=maps), image, atol=0, rtol=0)
        for i in range(len(maps)):
            changed = [level + 1.5 * draw(*level.shape) * (i == j) for j, level in enumerate(maps)]
            assert (g.synthesis(ws, noise=changed) - image).abs().max() > 1e-3
        assert g.synthesis.noise_shapes == [(1, 1, r, r) for r in (4, 4, 8, 8, 16, 16)]

    def test_shared_noise_feeds_both_layers_of_a_resolution(self):
        shared, own = make_stylegan1(shared_noise=True), make_stylegan1()
        weights = {k: v for k, v in shared.state_dict().items() if k in own.state_dict()}
        own.load_state_dict(weights, strict=False)
        ws = shared.mapping(draw(2, 6))
        maps = [draw(1, 1, r, r, seed=r) for r in (4, 8, 16)]
        twice = [level for level in maps for _ in range(2)]
        assert [shape[-1] for shape in shared.synthesis.noise_shapes] == [4, 8, 16]
        expected = own.synthesis(ws, noise=[level.float() for level in twice])
        image = shared.synthesis(ws, noise=[level.float() for level in maps])
        torch.testing.assert_close(image, expected, atol=0, rtol=0)


# The generator of Table 4: no styles, one w for all layers.
TRADITIONAL = {
    "styles": False, "use_noise": False, "instance_norm": False, "pixel_norm": True,
    "const_input": False,
}  # fmt: skip


class TestTraditional:
    def test_it_takes_one_w(self):
        g = make_stylegan1(**TRADITIONAL)
        assert g.num_ws == 1
        assert g(draw(2, 6)).shape == (2, 3, 16, 16)
        assert not g.synthesis.noise_shapes

    def test_without_mapping_layers_w_is_the_normalised_z(self):
        g = make_stylegan1(**TRADITIONAL, mapping_layers=0, w_dim=6).double()
        z = draw(4, 6)
        expected = z / z.square().mean(dim=1, keepdim=True).sqrt()
        torch.testing.assert_close(g.mapping(z)[:, 0], expected, atol=1e-7, rtol=0)  # epsilon 1e-8


def test_labels_are_appended_to_z_and_normalised_with_it():
    g = make_stylegan1(c_dim=3, mapping_layers=0, w_dim=12).double()
    z, c = draw(2, 6), torch.eye(3)[[2, 0]].double()
    both = torch.cat([z, c @ g.mapping.label_weight], dim=1)
    expected = both / both.square().mean(dim=1, keepdim=True).sqrt()
    torch.testing.assert_close(g.mapping(z, c)[:, 0], expected, atol=1e-7, rtol=0)  # epsilon 1e-8


def test_a_contribution_of_each_resolution_is_refused():
    with pytest.raises(LatentError, match="only a skip generator"):
        make_stylegan1().rgb_by_resolution(torch.zeros(1, 6, 5))


def test_a_blurred_bias_is_weaker_at_the_border():
    """The blur sees zeros outside: three quarters of [1, 2, 1] are left at an edge."""
    config = StyleGAN1Config(
        8, channel_table=(8, 8), w_dim=5, instance_norm=False, styles=False, use_noise=False,
        blurred_bias=True,
    )  # fmt: skip
    layer = ConvLayer(config, 8, up=True)
    coverage = np.array([0.75, *[1.0] * 6, 0.75])
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.arange(8.0) - 3)
        y = layer(torch.randn(2, 8, 4, 4), torch.zeros(2, 5), None)
    bias = np.arange(8.0) - 3
    expected = np.where(bias > 0, bias, 0.2 * bias)[:, None, None] * np.outer(coverage, coverage)
    np.testing.assert_allclose(y[1], expected, atol=1e-6)  # float32
