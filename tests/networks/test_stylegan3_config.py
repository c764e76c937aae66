"""The geometry of StyleGAN3's layers, as a genuine snapshot records it for each layer."""

import numpy as np
import pytest
import torch

from latentlab import Generator, UnsupportedCheckpoint, load
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.networks.stylegan3_config import StyleGAN3Config
from tests.conftest import SHARED
from tests.support.generators.stylegan3_reference import bands, lowpass

DESIGN = 1e-7  # absolute, of a filter's taps: float32 holds what was designed in float64


@pytest.fixture(scope="module")
def recorded():
    """Open the snapshot; returns the layers' records by name, and our config."""
    path = SHARED / "sg3t_32.pkl"
    if not path.is_file():
        pytest.skip(f"reference data not found at {path}")
    synthesis = read_pickle(path)["G_ema"].state["_modules"]["synthesis"].state["_modules"]
    layers = {name: module.state for name, module in synthesis.items() if name != "input"}
    return layers, synthesis["input"].state, load(path).config


def test_layers_are_those_that_the_snapshot_records(recorded):
    layers, _, config = recorded
    ours = config.layers()
    assert {layer.name for layer in ours} == set(layers)
    for layer in ours:
        state = layers[layer.name]
        assert (layer.source.maps, layer.target.maps) == (
            state["in_channels"], state["out_channels"],
        )  # fmt: skip
        assert [layer.source.size] * 2 == state["in_size"].tolist()
        assert [layer.target.size] * 2 == state["out_size"].tolist()
        assert [layer.source.rate, layer.target.rate] == [
            state["in_sampling_rate"], state["out_sampling_rate"],
        ]  # fmt: skip
        assert (layer.up, layer.down) == (state["up_factor"], state["down_factor"])
        assert (max(layer.up_taps, 1), max(layer.down_taps, 1)) == (
            state["up_taps"], state["down_taps"],
        )  # fmt: skip
        assert list(layer.pad * 2) == state["padding"]
        assert layer.radial == state["down_radial"]
        assert layer.kernel == state["conv_kernel"]
        assert layer.source.cutoff == pytest.approx(state["in_cutoff"], rel=1e-12)
        assert layer.target.cutoff == pytest.approx(state["out_cutoff"], rel=1e-12)


def test_the_input_is_that_which_the_snapshot_records(recorded):
    _, state, config = recorded
    first = config.signals()[0]
    assert [first.size] * 2 == state["size"].tolist()
    assert (first.maps, first.rate, first.cutoff) == (
        state["channels"], state["sampling_rate"], state["bandwidth"],
    )  # fmt: skip


def test_the_filters_of_the_snapshot_are_designed_for_our_cutoffs(recorded):
    """scipy's Kaiser-windowed low-pass, from the half-widths that the paper gives."""
    layers, _, config = recorded
    for layer in config.layers():
        rate = layer.source.rate * layer.up
        for name, signal in (("up_filter", layer.source), ("down_filter", layer.target)):
            taps = layers[layer.name]["_buffers"].get(name)
            assert (taps is None) == layer.is_rgb
            if taps is not None:
                band = bands(config)[config.signals().index(signal)]
                expected = lowpass(len(taps), band, rate)
                np.testing.assert_allclose(taps, expected, atol=DESIGN, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"resolution": 1024},
        {"resolution": 1024, "channel_base": 65536, "channel_max": 1024, "conv_kernel": 1,
         "use_radial_filters": True},
        {"resolution": 256, "channel_base": 16384},
        {"resolution": 16, "num_layers": 2, "num_critical": 1},
    ],
)  # fmt: skip
def test_signals_follow_the_published_progression(settings):
    config = StyleGAN3Config(**settings)
    for ours, band in zip(config.signals(), bands(config), strict=True):
        assert (ours.rate, ours.size, ours.maps) == (band.rate, band.size, band.maps)
        assert ours.cutoff == pytest.approx(band.cutoff, rel=1e-12)
        half_width = max(ours.stopband, ours.rate / 2) - ours.cutoff
        assert half_width == pytest.approx(band.half_width, rel=1e-9)


# What the official code prints when it trains config R: parameters and buffers, in all and of
# some layers. From logs in issues 181 (1024 pixels), 229 (512) and 40 (128) of NVlabs/stylegan3.
R = {"channel_base": 65536, "channel_max": 1024, "conv_kernel": 1, "use_radial_filters": True}
LOGS = {
    1024: ((15_093_151, 5600), {
        "L10_1044_161": (41_377, 169), "L11_1044_102": (16_524, 157), "L12_1044_64": (6592, 25),
        "L13_1024_64": (4160, 25), "L14_1024_3": (195, 1),
    }),
    512: ((16_665_594, 5588), {"L13_512_128": (16_512, 25), "L14_512_3": (387, 1)}),
    128: (None, {
        "L9_148_1024": (1_049_600, 169), "L10_148_912": (934_800, 157),
        "L11_148_683": (623_579, 157), "L12_148_512": (350_208, 25), "L13_128_512": (262_656, 25),
    }),
}  # fmt: skip


def sizes(module, recurse=False):
    return tuple(
        sum(tensor.numel() for tensor in tensors)
        for tensors in (module.parameters(recurse), module.buffers(recurse))
    )


@pytest.mark.parametrize("resolution", LOGS)
def test_published_networks_have_the_sizes_in_their_logs(resolution):
    total, layers = LOGS[resolution]
    with torch.device("meta"):
        g = Generator(StyleGAN3Config(resolution, **R))
    assert total is None or sizes(g, recurse=True) == total
    assert {name: sizes(g.synthesis.get_submodule(name)) for name in layers} == layers


@pytest.mark.parametrize("radial", [False, True])
def test_only_layers_that_are_not_critically_sampled_are_radial(radial):
    layers = StyleGAN3Config(64, use_radial_filters=radial, num_critical=3).layers()
    assert [layer.radial for layer in layers] == [radial] * 11 + [False] * 4


OUT_OF_RANGE = [
    ("resolution", [0, 48, 8192, "32"]),
    ("channels", [0, -3, 10**9]),
    ("channel_base", [0, 1, 10**18, 2.5]),
    ("channel_max", [0, 10**9]),
    ("num_layers", [0, 1, 65, 10**9, "14", 14.0]),
    ("num_critical", [-1, 0, 14, 10**9, None]),
    ("first_cutoff", [0, -1, 0.1, 16.5, float("nan"), float("inf"), "2", 10**400]),
    ("first_stopband", [0, 2, 1.5, 1e300, float("nan"), 10**400]),
    ("last_stopband_rel", [0, 0.9, 1e9, float("nan"), None]),
    ("margin_size", [-1, 65, 10**9, 2.5]),
    ("output_scale", [0, -1, float("inf"), "x", 10**400]),
    ("conv_kernel", [0, 16, 10**9, 3.0]),
    ("filter_size", [0, 33, 10**9]),
    ("lrelu_upsampling", [0, 3, 8, 2.0, True]),
    ("use_radial_filters", [1, "yes", None]),
    ("conv_clamp", [0, -1, float("nan"), 10**400]),
    ("mapping_layers", [-1, 10**6]),
    ("z_dim", [0, 10**9]),
]


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in OUT_OF_RANGE for value in values]
)
def test_settings_out_of_range_are_named(field, value):
    with pytest.raises(UnsupportedCheckpoint, match=f"`{field}` must be"):
        StyleGAN3Config(**{"resolution": 32, field: value})


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"first_cutoff": 8.0, "first_stopband": 9.0, "resolution": 16}, "first_cutoff"),
        ({"resolution": 4096, "num_layers": 2, "num_critical": 1, "first_cutoff": 0.5,
          "first_stopband": 1.0}, "num_layers"),
        ({"channel_base": 14}, "channel_base"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_named(settings, field):
    with pytest.raises(UnsupportedCheckpoint, match=f"`{field}` must be"):
        StyleGAN3Config(**{"resolution": 32, **settings})
