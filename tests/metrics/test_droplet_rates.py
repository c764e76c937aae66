"""Droplets planted into generators, by hooks and by noise maps."""

import numpy as np
import pandas as pd
import pytest
import torch

import latentlab
from latentlab import NumericalError, SettingsError
from metrics import droplets
from metrics.droplet_rates import images_and_heat, in_picture, inside
from tests.conftest import (
    make_fastgan,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan3,
    make_stylegan_xl,
)

FIXTURES = ("sg1_32.pkl", "sg2_skip_32.pkl", "sg2_resnet_32.pkl", "pgan_32.pkl")
BUNDLED = ("builtin:digits-stylegan1", "builtin:digits-stylegan2")
DETECTION = ["sample", "layer", "resolution", "row", "column", "strength", "area_share",
             "at_border"]  # fmt: skip


def plant(g, place: str, row: float, column: float, strength: float = 20, sigma: float = 1.5):
    """Have a module of the synthesis add a Gaussian spot, so many deviations of each channel."""

    def hook(_module, _inputs, x):
        down, right = (torch.arange(size) + 0.5 for size in x.shape[2:])
        y, x0 = row * x.shape[2], column * x.shape[3]
        squared = (down[:, None] - y) ** 2 + (right - x0) ** 2
        spread = x.std(dim=(2, 3), keepdim=True)
        return x + strength * spread * torch.exp(-squared / 2 / sigma**2)

    return g.synthesis.get_submodule(place).register_forward_hook(hook)


def are_at(found: pd.DataFrame, row: float, column: float, tolerance: float = 0.06) -> pd.Series:
    return np.hypot(found["row"] - row, found["column"] - column) < tolerance


@pytest.mark.parametrize("name", [*FIXTURES, *BUNDLED])
def test_genuine_networks_without_droplets_have_none(name, request):
    path = name if name in BUNDLED else request.getfixturevalue("shared") / name
    result = droplets(latentlab.load(path).generator, num_samples=32)
    assert result.value == 0
    assert result.ci_high > 0
    assert result.samples.empty
    assert result.samples.columns.tolist() == DETECTION


@pytest.mark.parametrize(
    ("name", "place", "layer"),
    [
        (BUNDLED[0], "b16", "b16.layer1"),
        (BUNDLED[0], "b32.layer0", "b32.layer0"),
        (BUNDLED[1], "b16.conv0", "b16.conv0"),
        (BUNDLED[1], "b32", "b32.conv1"),
        ("sg1_32.pkl", "b16.layer1", "b16.layer1"),
        ("sg2_skip_32.pkl", "b32.conv1", "b32.conv1"),
        ("sg2_resnet_32.pkl", "b16", "b16"),
        ("pgan_32.pkl", "b32", "b32.layer1"),
    ],
)
def test_droplets_planted_into_a_layer_are_found_there_and_after_it(name, place, layer, request):
    path = name if name in BUNDLED else request.getfixturevalue("shared") / name
    g = latentlab.load(path).generator
    plant(g, place, row=0.3, column=0.6)
    result = droplets(g, num_samples=20)
    there = result.samples["layer"] == layer
    right = are_at(result.samples, 0.3, 0.6)
    assert result.samples[there & right]["sample"].nunique() > 0.95 * 20
    assert right.mean() > 0.95
    assert result.value > 0.95
    names = result.rows["layer"].tolist()
    assert all(names.index(found) >= names.index(layer) for found in result.samples["layer"])
    share = result.rows.set_index("layer")["value"]
    assert share[layer] > 0.95
    assert share["any"] == result.value


def test_places_and_images_of_single_droplets_are_told_apart():
    g = latentlab.load(BUNDLED[1]).generator
    places = np.random.default_rng(0).uniform(0.1, 0.9, [24, 2])
    places[::3] = np.nan  # every third image has none
    done = 0

    def hook(_module, _inputs, x):
        nonlocal done
        down = (torch.arange(x.shape[2]) + 0.5) / x.shape[2]
        for maps, (row, column) in zip(x, places[done : done + len(x)], strict=False):
            squared = (down[:, None] - row) ** 2 + (down - column) ** 2
            spot = torch.exp(-squared * x.shape[2] ** 2 / 2 / 1.2**2).nan_to_num()
            maps += 25 * maps.std(dim=(1, 2), keepdim=True) * spot
        done += len(x)

    g.synthesis.b32.conv0.register_forward_hook(hook)
    found = droplets(g, num_samples=24, batch=8).samples
    found = found[found["layer"] == "b32.conv0"].set_index("sample")
    assert found.index.tolist() == [i for i in range(24) if i % 3]
    np.testing.assert_allclose(found[["row", "column"]], places[found.index], atol=1 / 32)


def test_a_spike_in_a_stored_noise_map_is_found_with_constant_noise_alone():
    g = latentlab.load(BUNDLED[1]).generator
    layer = g.synthesis.b32.conv0
    layer.noise_const[20, 9] = 300
    layer.noise_strength.fill_(1.0)
    result = droplets(g, num_samples=8)
    assert result.value == 1.0
    assert are_at(result.samples, 20.5 / 32, 9.5 / 32).all()
    assert droplets(g, num_samples=8, noise="random").value < 1.0


@pytest.mark.parametrize(
    ("make", "settings", "names"),
    [
        (make_generator, {}, ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]),
        (  # no more channels than the image has
            make_generator, {"resolution": 8, "channels": 4, "channel_max": 4},
            ["b4.conv1", "b8.conv0", "b8.conv1"],
        ),
        (
            make_generator, {"architecture": "resnet", "resolution": 8},
            ["b4.conv1", "b8.conv0", "b8.conv1", "b8"],
        ),
        (make_stylegan1, {"resolution": 8}, ["b4.layer0", "b4.layer1", "b8.layer0", "b8.layer1"]),
        (make_progan, {"resolution": 8}, ["b4.layer0", "b4.layer1", "b8.layer0", "b8.layer1"]),
        (make_stylegan3, {}, ["L0_16_6", "L1_24_6", "L2_24_6", "L3_16_4"]),
        (make_stylegan_xl, {}, ["L0_16_6", "L1_24_6", "L2_24_6", "L3_16_4"]),
        (
            make_fastgan, {"lite": True},
            ["b4.conv0", "b8.conv0", "b16.conv0", "b32.conv0", "b64.conv0", "b64", "b128.conv0",
             "b128"],
        ),
    ],
)  # fmt: skip
def test_every_layer_has_a_row_under_its_name_in_the_network(make, settings, names):
    rows = droplets(make(**settings), num_samples=4).rows
    assert rows["layer"].tolist() == ["any", *names]


def test_layers_that_a_growing_network_has_not_reached_are_left_out():
    g = make_stylegan1(growing=True)
    g.synthesis.set_lod(1.0)
    rows = droplets(g, num_samples=4).rows
    assert rows["resolution"].tolist() == [16, 4, 4, 8, 8]


def test_the_layers_of_a_foreign_generator_are_found():
    g = Foreign()
    result = droplets(g, num_samples=12)
    assert result.rows["layer"].tolist() == ["any", "first", "second"]
    assert result.rows["value"].tolist() == [1.0, 0.0, 1.0]
    assert are_at(result.samples, 5.5 / 16, 9.5 / 16, 0.01).all()


def test_batch_size_and_earlier_results_change_nothing():
    g = latentlab.load(BUNDLED[0]).generator
    plant(g, "b16", 0.4, 0.4, strength=5)
    whole = droplets(g, num_samples=21, batch=32)
    finished = {}
    droplets(g, num_samples=16, batch=4, finished=finished)
    pieces = droplets(g, num_samples=21, batch=4, finished=finished)
    assert len(whole.samples) > 0
    pd.testing.assert_frame_equal(pieces.samples, whole.samples)
    pd.testing.assert_frame_equal(pieces.rows, whole.rows)


def test_hooks_are_taken_away_and_those_of_others_stay():
    g = make_generator()
    mine = plant(g, "b16", 0.5, 0.5)
    droplets(g, num_samples=4)
    hooks = [list(m._forward_hooks) for m in g.synthesis.modules() if m._forward_hooks]
    assert hooks == [[mine.id]]


def test_the_heat_over_an_image_is_hottest_at_the_droplet():
    g = latentlab.load(BUNDLED[1]).generator
    plant(g, "b16", row=0.25, column=0.75)
    images, heat = images_and_heat(g, [3, 7, 5])
    assert images.shape == (3, 3, 32, 32)
    assert heat.shape == (3, 32, 32)
    peaks = heat.flatten(1).argmax(dim=1)
    assert (peaks // 32 - 8).abs().max() <= 2
    assert (peaks % 32 - 24).abs().max() <= 2
    again, _ = images_and_heat(g, range(8))
    assert torch.equal(images, again[[3, 7, 5]])


def test_places_are_brought_from_maps_with_a_margin_to_the_picture():
    g = make_stylegan3()  # L1 has 16 samples a side and 4 on each side around, L3 no margin
    found = pd.DataFrame({
        "layer": ["L1_24_6", "L1_24_6", "L3_16_4"], "row": [4 / 24, 0.5, 0.3],
        "column": [20 / 24, 0.0, 0.3], "area_share": [0.04, 0.04, 0.04],
    })  # fmt: skip
    placed = in_picture(g, found)
    np.testing.assert_allclose(placed["row"], [0, 0.5, 0.3], atol=1e-12)
    np.testing.assert_allclose(placed["column"], [1, -0.25, 0.3], atol=1e-12)
    np.testing.assert_allclose(placed["area_share"], [0.09, 0.09, 0.04])


def test_rows_carry_their_settings():
    frame = droplets(make_generator(c_dim=3), num_samples=4, seed=2, threshold=7.5).frame()
    assert frame["n"].unique().tolist() == [4]
    assert frame["seed"].unique().tolist() == [2]
    assert '"threshold": 7.5' in frame["settings"][0]


def test_spots_at_the_border_are_in_no_share():
    g = latentlab.load(BUNDLED[1]).generator
    plant(g, "b16.conv1", row=0.03, column=0.6, strength=40, sigma=0.5)
    result = droplets(g, num_samples=8)
    mine = result.samples[result.samples["layer"] == "b16.conv1"]
    assert mine["sample"].tolist() == list(range(8))
    assert mine["at_border"].all()
    rows = result.rows.set_index("layer")
    assert rows.loc["b16.conv1", ["value", "detections", "at_border"]].tolist() == [0, 0, 8]
    assert inside(result.samples)["sample"].nunique() == round(8 * result.value)


def test_what_only_the_rest_of_the_map_refuses_is_counted_in_the_report():
    g = latentlab.load(BUNDLED[1]).generator
    rng = torch.Generator().manual_seed(0)
    peaks = torch.rand([32, 32], generator=rng).log().neg()  # single pixels of every height

    g.synthesis.b32.conv1.register_forward_hook(lambda _m, _i, x: 0.05 * x + peaks)
    rows = droplets(g, num_samples=4).rows.set_index("layer")
    assert rows.loc["b32.conv1", "value"] == 0
    assert rows.loc["b32.conv1", "refused"] >= 4
    assert rows.loc["any", "refused"] == rows["refused"][1:].sum()


def test_bad_settings_and_broken_networks_are_refused():
    g = make_generator()
    for changes in ({"num_samples": 0}, {"threshold": -1.0}, {"noise": "loud"}):
        with pytest.raises(SettingsError, match=next(iter(changes))):
            droplets(g, **{"num_samples": 4, **changes})
    g.synthesis.b8.conv0.bias.fill_(float("nan"))
    with pytest.raises(NumericalError, match=r"b8\.conv0"):
        droplets(g, num_samples=4)


class Foreign(torch.nn.Module):
    """Noise from one module, and a spot from the next."""

    z_dim, c_dim, resolution, channels = 4, 0, 16, 3

    def __init__(self) -> None:
        super().__init__()
        self.synthesis = torch.nn.Sequential()
        self.synthesis.add_module("first", Noise())
        self.synthesis.add_module("second", Spot())
        self.synthesis.add_module("rgb", torch.nn.Conv2d(8, 3, 1))

    def mapping(self, z, c=None):
        return z[:, None].expand(-1, 2, -1)


class Noise(torch.nn.Module):
    def forward(self, ws):
        seeds = [int(w[0, 0].abs() * 1e6) for w in ws]
        rngs = [torch.Generator().manual_seed(seed) for seed in seeds]
        return torch.stack([torch.randn([8, 16, 16], generator=rng) for rng in rngs])


class Spot(torch.nn.Module):
    def forward(self, x):
        x = x.clone()
        x[:, :, 5, 9] += 30
        return x
