import pytest
import torch
import torch.nn.functional as F

from latentlab import LatentError
from metrics.feature_maps import feature_layers
from tests.conftest import make_lucidrains
from tests.support.tolerances import FLOAT64


def reference(g, ws, noise):
    """The image in [0,1], in float64, convolution by convolution with weights of its own."""
    state = {name: value.double() for name, value in g.synthesis.state_dict().items()}
    ws, noise = ws.double(), noise.double()
    images = []
    for i in range(len(ws)):
        x = F.conv2d(
            state["const"][None], state["start_conv.weight"], state["start_conv.bias"], 1, 1
        )
        image = None
        for number, size in enumerate((4, 8, 16)):
            if size > 4:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            w, part = ws[i, number], f"b{size}"
            for conv in ("conv0", "conv1"):
                x = F.conv2d(x, modulated(state, f"{part}.{conv}", w, True), padding=1)
                own = noise[i % len(noise), 0, :size, :size].t()
                weight, bias = (state[f"{part}.{conv}.noise_{p}"] for p in ("weight", "bias"))
                x = F.leaky_relu(x + own * weight[:, None, None] + bias[:, None, None], 0.2)
            rgb = F.conv2d(x, modulated(state, f"{part}.torgb", w, False))
            image = rgb if image is None else doubled(image) + rgb
        images.append(image)
    return torch.cat(images)


def modulated(state, layer, w, demodulate):
    styles = state[f"{layer}.style.weight"] @ w + state[f"{layer}.style.bias"] + 1
    weight = state[f"{layer}.weight"] * styles[:, None, None]
    if demodulate:
        weight = weight / (weight.square().sum(dim=[1, 2, 3], keepdim=True) + 1e-8).sqrt()
    return weight


def doubled(image):
    image = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    rows, columns = (image.shape[2], image.shape[3])
    out = torch.zeros_like(image)
    for dy, a in zip((-1, 0, 1), (1, 2, 1), strict=True):
        for dx, b in zip((-1, 0, 1), (1, 2, 1), strict=True):
            y = mirrored(torch.arange(rows) + dy, rows)
            x = mirrored(torch.arange(columns) + dx, columns)
            out += image[:, :, y][:, :, :, x] * (a * b / 16)
    return out


def mirrored(index, size):
    index = index.abs()
    return torch.where(index >= size, 2 * (size - 1) - index, index)


def test_images_are_those_of_a_plain_computation():
    g = make_lucidrains().double()
    ws = torch.randn(2, 3, 5, dtype=torch.float64)
    noise = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    found = g.synthesis(ws, noise=[noise])
    torch.testing.assert_close((found + 1) / 2, reference(g, ws, noise), atol=FLOAT64, rtol=0)


def test_the_image_is_the_sum_of_its_resolutions():
    g = make_lucidrains().double()
    ws = torch.randn(2, 3, 5, dtype=torch.float64)
    parts = g.rgb_by_resolution(ws)
    total = sum(g.synthesis.upsample_rgb(rgb) for rgb in parts.values())
    torch.testing.assert_close(total, g.synthesis(ws), atol=FLOAT64, rtol=0)


def test_a_start_without_a_constant():
    g = make_lucidrains(const_input=False)
    ws = torch.randn(2, 3, 5)
    first = g.synthesis._first(ws)
    expected = torch.stack([torch.tensordot(w.mean(0), g.synthesis.start, 1) for w in ws])
    torch.testing.assert_close(first, expected)


class TestNoise:
    def test_there_is_one_map_of_the_size_of_the_image(self):
        g = make_lucidrains()
        assert g.synthesis.noise_shapes == [(1, 1, 16, 16)]

    def test_the_stored_one_is_that_of_const(self):
        g, ws = make_lucidrains(), torch.randn(1, 3, 5)
        stored = g.synthesis.noise.noise_const[None, None]
        assert torch.equal(g.synthesis(ws), g.synthesis(ws, noise=[stored]))

    def test_random_ones_are_uniform(self):
        g = make_lucidrains()
        drawn = g.synthesis.as_noise(torch.randn(100_000))
        assert 0 <= drawn.min() < 0.001
        assert 0.999 < drawn.max() <= 1
        assert abs(float(drawn.mean()) - 0.5) < 0.01
        assert abs(float(drawn.std()) - 12**-0.5) < 0.01

    def test_none_is_a_map_of_zeros(self):
        g, ws = make_lucidrains(), torch.randn(1, 3, 5)
        zeros = torch.zeros(1, 1, 16, 16)
        assert torch.equal(g.synthesis(ws, noise_mode="none"), g.synthesis(ws, noise=[zeros]))

    def test_maps_of_each_layer_are_refused(self):
        with pytest.raises(LatentError, match="list of 1 maps"):
            make_lucidrains().synthesis(torch.randn(1, 3, 5), noise=[torch.zeros(1, 1, 4, 4)] * 5)


def test_droplets_are_looked_for_in_each_block():
    names = set(feature_layers(make_lucidrains()))
    assert names == {"b4", "b8", "b16"}
