"""StyleGAN-XL snapshots against that code's own outputs, and files made here."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint
from latentlab.checkpoints.assemble import assemble
from tests.conftest import make_stylegan3, make_stylegan_xl, scarce_memory
from tests.support.generators import projected_gan
from tests.support.generators import stylegan_xl_files as files
from tests.support.snapshots import Persistent
from tests.support.tolerances import W

# Absolute, float32 against the original's float32: three times what its own float32 differs from
# its float64, as measured with the files.
GENUINE = {"stylegan_xl_uncond_16": 3 * 5.3e-7, "stylegan_xl_cond_16": 3 * 5.3e-7,
           "stylegan_xl_superres_32": 3 * 4.4e-7}  # fmt: skip
RADIAL = {"conv_kernel": 1, "use_radial_filters": True}  # config R


@pytest.fixture
def write(tmp_path, monkeypatch):
    def snapshot(g, dill="dill._dill", **rest):
        found = {"G": None, "D": None, "G_ema": g, "augment_pipe": None, **rest}
        return files.write(tmp_path / "network.pkl", found, monkeypatch, dill)

    return snapshot


def draw(g, n=2):
    z = torch.from_numpy(np.random.RandomState(0).randn(n, g.z_dim))
    return z, torch.eye(g.c_dim)[[2, 0][:n]] if g.c_dim else None


# Genuine files.


@pytest.fixture(params=list(GENUINE))
def genuine(request, shared):
    path = shared / "more" / f"{request.param}.pkl"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return latentlab.load(path), np.load(path.with_name(f"{request.param}_ref.npz")), request.param


def test_w_and_images_of_genuine_files(genuine):
    opened, ref, name = genuine
    g, z = opened.generator, torch.from_numpy(ref["z"])
    c = torch.from_numpy(ref["c"]) if g.c_dim else None
    assert (opened.kind, g.num_ws) == ("stylegan-xl", ref["num_ws"])
    ws = g.mapping(z, c)
    np.testing.assert_allclose(ws[:, 3], ref["w"], atol=W, rtol=0)
    np.testing.assert_allclose(g.mapping(z, c, 0.7)[:, 0], ref["ws_psi07"], atol=W, rtol=0)
    for found, expected in (
        (g.synthesis(ws), "img"),
        (g(z, c, truncation_psi=0.7), "img_psi07"),
        (g(z, c, truncation_psi=0.7, truncation_cutoff=4), "img_psi07_cut4"),
    ):
        np.testing.assert_allclose(found, ref[expected], atol=GENUINE[name], rtol=0)


def test_genuine_files_are_saved_as_they_are(genuine, tmp_path):
    opened, _, _ = genuine
    latentlab.save(opened, tmp_path / "again.safetensors")
    again = latentlab.load(tmp_path / "again.safetensors")
    z, c = draw(opened.generator)
    assert (again.kind, again.config) == ("stylegan-xl-native", opened.config)
    assert torch.equal(again.generator(z, c), opened.generator(z, c))


def test_a_stage_of_superresolution_has_layers_of_its_own(shared):
    """Its modules still say with what the stage before it was made: 16 px and seven layers."""
    config = latentlab.load(shared / "more" / "stylegan_xl_superres_32.pkl").config
    names = [layer.name for layer in config.layers()]
    assert names == ["L0_36_10", "L1_36_10", "L2_36_10", "L3_36_10", "L4_36_10",
                     "L6_36_10", "L7_52_6", "L8_52_4", "L9_32_4", "L10_32_3"]  # fmt: skip
    assert (config.resolution, config.num_ws, config.label_table) == (32, 11, (10, 20))


# Files made here.


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("settings", [{}, RADIAL, {"conv_clamp": None, "resolution": 32}])
def test_what_modules_say_is_what_the_network_is(settings, c_dim, write):
    g = make_stylegan_xl(c_dim=c_dim, **settings)
    opened = latentlab.load(write(files.described(g)))
    assert opened.config == g.config
    z, c = draw(g)
    assert torch.equal(opened.generator(z, c), g(z, c))
    assert torch.equal(opened.generator.w_mean, g.w_mean)


@pytest.mark.parametrize("dill", ["dill._dill", "dill.dill"])
def test_arrays_of_any_dill(dill, write):
    g = make_stylegan_xl()
    assert latentlab.load(write(files.described(g), dill)).config == g.config


def test_layers_of_stacked_stages(write):
    """Numbers have gaps where a stage took layers away, and sizes rise more than once."""
    g = make_stylegan_xl(num_layers=6, resolution=32, channel_base=128)
    rows = [row._replace(number=2 * i) for i, row in enumerate(g.config.layer_table)]
    config = replace(g.config, layer_table=tuple(rows))
    renamed = dict(zip(g.synthesis.layer_names, (row.name for row in rows), strict=True))
    weights = {
        ".".join(renamed.get(part, part) for part in key.split(".")): value
        for key, value in g.state_dict().items()
    }
    later = assemble(config, weights, "x")
    opened = latentlab.load(write(files.described(later, "SuperresGenerator")))
    z, c = draw(g)
    assert opened.config == config
    assert torch.equal(opened.generator(z, c), g(z, c))


def test_a_discriminator_of_other_peoples_networks_is_left_aside(tmp_path, monkeypatch):
    g, raw = make_stylegan_xl(), make_stylegan_xl(seed=1)
    found = {"G": files.described(raw), "D": projected_gan.discriminator(),
             "G_ema": files.described(g),
             "progress": {"cur_nimg": torch.tensor([4000])}}  # fmt: skip
    projected_gan.write(tmp_path / "x.pkl", None, monkeypatch)  # its stand-ins
    opened = latentlab.load(files.write(tmp_path / "x.pkl", found, monkeypatch))
    assert list(opened.networks) == ["G_ema", "G"]
    assert "D" in opened.metadata["ignored"]
    assert opened.images_shown == 4000
    assert not torch.equal(opened.generator(*draw(g)), opened.raw_generator(*draw(g)))


def test_a_generator_alone(write, tmp_path, monkeypatch):
    """As shared files are, reduced to what makes pictures."""
    g = make_stylegan_xl()
    for name, found in (("a", files.described(g)), ("b", {"G_ema": files.described(g)})):
        opened = latentlab.load(files.write(tmp_path / name, found, monkeypatch))
        assert (opened.kind, opened.config) == ("stylegan-xl", g.config)


def test_stylegan3_with_labels_is_not_taken_for_it(write):
    """A dense layer maps its labels: its weight has the same name, and a bias beside it."""
    g = make_stylegan3(c_dim=3)
    kwargs = {"c_dim": 3, "img_resolution": 16, "img_channels": 3, "z_dim": 6, "w_dim": 5,
              "channel_base": 64, "channel_max": 6, "num_layers": 4, "num_critical": 1,
              "first_cutoff": 1.0, "first_stopband": 3.0, "margin_size": 4}  # fmt: skip
    opened = latentlab.load(write(Persistent(g, "Generator", (), kwargs)))
    assert opened.kind == "stylegan3-t-nvidia"
    assert torch.equal(opened.generator(*draw(g)), g(*draw(g)))


# What does not fit.


def check_refused(path, *words, kind=CheckpointError):
    with scarce_memory(), pytest.raises(kind) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert [word for word in (str(path), *words) if word not in message] == [], message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400


def deep(levels=100_000):
    value = ()
    for _ in range(levels):
        value = (value,)
    return value


SYNTHESIS, LAYER = ("synthesis",), ("synthesis", "L1_24_6")


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (SYNTHESIS, {"layer_names": ["L0_16_6"]}, "layer_names"),
        (SYNTHESIS, {"layer_names": "L0_16_6"}, "layer_names"),
        (SYNTHESIS, {"layer_names": ["L0_16_6", "os.system"]}, "layer_names"),
        (SYNTHESIS, {"layer_names": ["L0_16_6", "L9_16_6"]}, "the module L9_16_6 is missing"),
        (SYNTHESIS, {"layer_names": ["L0_16_6", "L1_24_6", "L2_24_6", "L4_16_3"]},
         "L4_16_3: in_size must be 24 here, but got 16"),
        (SYNTHESIS, {"num_ws": 7}, "num_ws is not 6"),
        (SYNTHESIS, {"img_resolution": 32}, "layer_table"),
        (SYNTHESIS, {"img_resolution": [16, 16]}, "img_resolution must be a whole number"),
        (SYNTHESIS, {"output_scale": "0.25"}, "output_scale"),
        (LAYER, {"in_channels": 5}, "L1_24_6: in_channels must be 6"),
        (LAYER, {"out_size": files.DillArray([24, 20])},
         "L1_24_6: not square: out_size is [24, 20]"),
        (LAYER, {"out_size": files.DillArray([24.5, 24.5])}, "not square"),
        (LAYER, {"out_size": torch.zeros(2)}, "out_size"),
        (LAYER, {"padding": [1, 1, 1, 1]}, "L1_24_6: padding must be"),
        (LAYER, {"conv_clamp": 5}, "L1_24_6: conv_clamp must be 256"),
        (LAYER, {"is_torgb": True}, "L1_24_6: is_torgb must be False"),
        (LAYER, {"up_factor": 3}, "layer_table"),
        (LAYER, {"up_factor": 2**80}, "layer_table"),
        (LAYER, {"conv_kernel": 5}, "padding must be"),
        (LAYER, {"in_channels": deep(500)}, "more settings than a network has"),
        (("synthesis", "input"), {"sampling_rate": 8.5}, "sampling_rate must be a whole number"),
        (("synthesis", "input"), {"bandwidth": float("nan")}, "bandwidth"),
        (("synthesis", "input"), {"channels": 7}, "L0_16_6: in_channels must be 7"),
        (("mapping",), {"c_dim": 4}, "w_avg has shape [3, 5], not [4, 5]"),
        (("mapping",), {"c_dim": 9}, "label_table"),
        (("mapping",), {"c_dim": 0}, "embed_proj.weight is not part of the network"),
        (("mapping",), {"z_dim": 4}, "weights do not fit"),
        (("mapping",), {"num_layers": 3}, "the module fc2 is missing"),
        (("mapping",), {"num_layers": -1}, "mapping_layers"),
        (("mapping", "fc1"), {"activation": "relu"}, "only the lrelu activation"),
        (("mapping", "fc1"), {"bias_gain": 0.5}, "a bias_gain of their own"),
        (("mapping", "embed_proj"), {"bias_gain": 0.5}, "a bias_gain of their own"),
    ],
)  # fmt: skip
def test_modules_that_contradict_each_other_are_refused(place, change, words, write):
    whole = files.described(make_stylegan_xl())
    state = files.attributes(whole, *place)
    assert change.keys() <= state.keys()
    state.update(change)
    check_refused(write(whole), "G_ema", words)


@pytest.mark.parametrize("place", [("mapping",), SYNTHESIS, LAYER, ("synthesis", "input")])
def test_every_attribute_is_needed(place, write):
    whole = files.described(make_stylegan_xl())
    used = {key for key in files.attributes(whole, *place) if not key.startswith("_")}
    used -= {"training", "num_ws"} if place == ("mapping",) else {"training"}
    for name in used:
        whole = files.described(make_stylegan_xl())
        del files.attributes(whole, *place)[name]
        check_refused(write(whole), f"{name} is")


def test_weights_that_are_missing_or_too_many_are_named(write):
    whole = files.described(make_stylegan_xl())
    del files.attributes(whole, *LAYER)["_parameters"]["bias"]
    check_refused(write(whole), "synthesis.L1_24_6.bias is missing")
    whole = files.described(make_stylegan_xl())
    files.attributes(whole, *LAYER)["_buffers"]["down_filter"] = torch.zeros([])
    check_refused(write(whole), "L1_24_6: a filter that is not [k] or [k,k]")
    whole = files.described(make_stylegan_xl())
    files.attributes(whole, "mapping")["_buffers"]["odd"] = torch.zeros(1)
    check_refused(write(whole), "mapping.odd is not part of the network")


@pytest.mark.parametrize("attributes", [{"a": 1}, [1], "x"])
def test_an_array_with_attributes_is_refused(attributes, write):
    whole = files.described(make_stylegan_xl())
    array = files.DillArray([24, 24], attributes)
    files.attributes(whole, *LAYER)["out_size"] = array
    check_refused(write(whole), "an array with attributes", kind=UnsafeCheckpoint)


def test_a_bare_state_dict_says_what_it_lacks(tmp_path):
    torch.save(make_stylegan_xl().state_dict(), tmp_path / "x.pt")
    check_refused(tmp_path / "x.pt", "how its layers resample", kind=UnsupportedCheckpoint)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.9])
def test_a_file_that_was_cut_short(part, write):
    path = write(files.described(make_stylegan_xl()))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    check_refused(path)
