"""Sizes that are read off the shape of one weight agree with the others, or the file is refused.

Every weight of a file of each kind is enlarged along each of its axes, dropped, and reshaped to as
many elements: whatever is taken from its shape then contradicts another weight.
"""

import itertools
from functools import cache

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError
from latentlab.checkpoints import assemble
from latentlab.checkpoints.pickles.reader import Record
from latentlab.checkpoints.systems import psp, rosinality1, rosinality2, yuuho
from latentlab.checkpoints.systems.nvidia_torch import networks_from_official
from latentlab.checkpoints.systems.tensorflow import arrays
from tests.conftest import make_generator, make_stylegan3
from tests.support import foreign
from tests.support.tensorflow.pickles import make_generator as tensorflow_network
from tests.support.tolerances import FOREIGN_IMAGE

MEAN = {"latent_avg": torch.zeros(5)}  # or w is averaged each time


def rosinality2_files(part, weights):
    return {**MEAN, "g_ema": foreign.rosinality_g((4, 3), layers=1), part: weights}


def rosinality1_files(part, weights):
    return {"g_running": foreign.rosinality1_g(maps=(8, 6), fused_from=1), part: weights}


def official(network, **settings):
    """Reads an official state dict whose settings are beside it."""
    kwargs = {"z_dim": 6, "w_dim": 5, "c_dim": 0, "img_resolution": 16, "img_channels": 3}
    kwargs |= settings

    def read(found, where):
        names = [f"G_ema.{name}" for name in found]
        (config,) = networks_from_official({"G_ema": kwargs}, names, where).values()
        return assemble.assemble(config, found, where)

    return network.state_dict(), read


def tensorflow_arrays(function):
    g, *_ = tensorflow_network(function, resolution=8, mapping_fmaps=5, fmap_base=16, latent_size=5)
    found = dict(g.state["variables"])
    for part, network in g.state["components"].items():
        found |= {f"G_{part}/{name}": value for name, value in network.state["variables"]}
    return {name: torch.as_tensor(np.asarray(value)) for name, value in found.items()}


def read_arrays(found, where):
    return arrays.read_arrays({name: value.numpy() for name, value in found.items()}, where)


FLAT = {"channel_base": 64, "channel_max": 6, "num_layers": 2, "num_critical": 1,
        "first_cutoff": 1.0, "first_stopband": 3.0, "margin_size": 4}  # fmt: skip
GROUPS = {"mapping_kwargs": {"num_layers": 2}}
FILES = {
    "rosinality2 G": (foreign.rosinality_g((4, 3), layers=1),
                      lambda found, where: rosinality2.read({**MEAN, "g_ema": found}, where)),
    "rosinality2 D": (foreign.rosinality_d((8, 6)),
                      lambda found, where: rosinality2.read(rosinality2_files("d", found), where)),
    "rosinality1 G": (foreign.rosinality1_g((4, 3), layers=1),
                      lambda found, where: rosinality1.read({"g_running": found}, where)),
    "rosinality1 D": (foreign.rosinality1_d((8, 6), fused_from=1), lambda found, where:
                      rosinality1.read(rosinality1_files("discriminator", found), where)),
    "yuuho2": (foreign.yuuho2_g((4, 3), layers=1), yuuho.read),
    "yuuho1": (foreign.yuuho1_from_tensorflow(
        {**tensorflow_arrays("G_style"), **{
            f"G_mapping/Dense{i}/{name}": torch.ones((5, 5) if name == "weight" else 5)
            for i in range(8) for name in ("weight", "bias")
        }}, 8), yuuho.read),
    "TensorFlow 1": (tensorflow_arrays("G_style"), read_arrays),
    "TensorFlow 2": (tensorflow_arrays("G_main"), read_arrays),
    "ADA": official(make_generator(resolution=8), **GROUPS, img_resolution=8,
                    synthesis_kwargs={"channel_base": 128, "channel_max": 8}),
    "StyleGAN3": official(make_stylegan3(num_layers=2), **GROUPS, **FLAT),
}  # fmt: skip
# What no computation uses.
UNUSED = {"style_mixing_rate", "image_mixing_rate", "lod", "G_synthesis/lod"}
# Without these a file is a whole one of another kind, or as older revisions wrote it.
OPTIONAL = {"noises.noise_0"}


def enlarged(weight):
    for axis in range(weight.ndim):
        yield torch.cat([weight, weight.narrow(axis, 0, 1)], axis)


def reshaped(weight):
    shapes = {tuple(shape) for shape in itertools.permutations(weight.shape)}
    flat = {(weight.numel(),), (1, weight.numel())}
    for shape in sorted((shapes | flat) - {tuple(weight.shape)}):
        if [size for size in shape if size != 1] != [size for size in weight.shape if size != 1]:
            yield weight.reshape(shape)


def opens(read, found):
    try:
        read(found, "file")
    except CheckpointError:
        return False
    return True


@pytest.mark.parametrize("kind", FILES)
def test_every_size_agrees_with_another(kind, monkeypatch):
    # Most of the time goes into networks without memory, of few configs.
    monkeypatch.setattr(assemble, "build_network", cache(assemble.build_network))
    whole, read = FILES[kind]
    assert opens(read, dict(whole))
    passed = []
    for name, weight in whole.items():
        if name in UNUSED:
            continue
        rest = {key: value for key, value in whole.items() if key != name}
        others = [*enlarged(weight), *reshaped(weight)]
        others += [torch.ones(1)] if weight.numel() > 1 else []
        passed += [(name, list(x.shape)) for x in others if opens(read, {**whole, name: x})]
        passed += [(name, "dropped")] if name not in OPTIONAL and opens(read, rest) else []
    assert passed == []


def check_refused(found, *words, read=rosinality2.read):
    with pytest.raises(CheckpointError) as caught:
        read(found, "file")
    message = str(caught.value)
    assert [word for word in ("file", *words) if word not in message] == [], message
    assert "\n" not in message


class TestLabels:
    """Exported from a network with labels: the first layer takes z and the embedded label."""

    def test_the_genuine_file_is_refused(self, shared):
        path = shared / "reports" / "rosinality_exported_from_labels.pt"
        words = r"takes 32 numbers, and w has 16: .*labels, and the label embedding is not in the"
        with pytest.raises(latentlab.UnsupportedCheckpoint, match=words):
            latentlab.load(path)

    @pytest.mark.parametrize(
        ("read", "whole", "name"),
        [
            (rosinality2.read, {**MEAN, "g_ema": foreign.rosinality_g()}, "style.1.weight"),
            (
                rosinality1.read,
                {"g_running": foreign.rosinality1_g()},
                "style.1.linear.weight_orig",
            ),
            (yuuho.read, foreign.yuuho2_g(), "mapping.1.weight"),
        ],
    )
    @pytest.mark.parametrize(
        ("taken", "words"), [(10, "label embedding is not"), (6, "label embedding"), (4, "as long")]
    )
    def test_every_system(self, read, whole, name, taken, words):
        place = next((part for part in ("g_ema", "g_running") if part in whole), None)
        weights = {**(whole[place] if place else whole), name: torch.ones(5, taken)}
        found = {**whole, place: weights} if place else weights
        check_refused(found, name, f"takes {taken} numbers, and w has 5", words, read=read)

    def test_arrays_of_tensorflow_with_their_labels_open_and_without_do_not(self):
        g, z, c, (images, _) = tensorflow_network("G_style", label_size=3)
        found = dict(g.state["variables"])
        for part, network in g.state["components"].items():
            found |= {f"G_{part}/{name}": value for name, value in network.state["variables"]}
        found["lod"] = float(found["lod"])
        _, networks, _ = arrays.read_arrays(dict(found), "file")
        image = networks["G_ema"](torch.from_numpy(z).float(), torch.from_numpy(c).float())
        np.testing.assert_allclose(image.numpy(), images, atol=FOREIGN_IMAGE)
        del found["G_mapping/LabelConcat/weight"]
        check_refused(found, "takes 12 numbers", "labels", read=arrays.read_arrays)


class TestGaps:
    """Layers are counted up to the first that is missing; what comes after it is named."""

    @pytest.mark.parametrize(
        ("read", "whole", "gap", "rest"),
        [
            (rosinality2.read, foreign.rosinality_g((4, 4, 4, 4)), "to_rgbs.1.", "convs.2."),
            (rosinality2.read, foreign.rosinality_g((4, 4, 4, 4)), "style.1.", "style.2."),
            (rosinality1.read, foreign.rosinality1_g((4, 4, 4, 4)),
             "generator.progression.2.", "generator.progression.3."),
            (rosinality1.read, foreign.rosinality1_g((4, 4)), "style.1.", "style.3."),
            (yuuho.read, foreign.yuuho2_g((4, 4, 4, 4)), "toRGBs.2.", "blocks.3."),
        ],
    )  # fmt: skip
    def test_every_system(self, read, whole, gap, rest):
        left = {name: weight for name, weight in whole.items() if not name.startswith(gap)}
        place = {rosinality2: "g_ema", rosinality1: "g_running"}
        part = next((key for module, key in place.items() if read is module.read), None)
        check_refused({part: left} if part else left, "belong to no known layer", rest, read=read)

    def test_missing_mapping_layers_of_yuuho(self):
        left = foreign.yuuho2_g(layers=3)
        del left["mapping.5.weight"], left["mapping.6.bias"]
        check_refused(left, "mapping.5.avg_style is missing", read=yuuho.read)


class TestNetworksOfOneFile:
    """A network without its last layers looks like a smaller one; the others tell."""

    @pytest.mark.parametrize("place", ["g", "d"])
    def test_rosinality2(self, place):
        smaller = {"g": foreign.rosinality_g((8, 8)), "d": foreign.rosinality_d((8, 8))}
        found = {**MEAN, "g_ema": foreign.rosinality_g(), place: smaller[place]}
        words = "the resolution of one is 16, of the other 8"
        check_refused(found, f"weights are missing from G_ema or {place.upper()}", words)

    def test_rosinality1(self):
        small = foreign.rosinality1_d((8, 8))
        found = {"g_running": foreign.rosinality1_g(), "discriminator": small}
        check_refused(found, "the resolution of one is 32, of the other 8", read=rosinality1.read)

    def test_other_channels(self):
        d = foreign.rosinality_d()
        d["convs.0.0.weight"] = torch.ones(6, 1, 1, 1)
        check_refused({**MEAN, "g_ema": foreign.rosinality_g(), "d": d}, "channels of one is 3")

    def test_mapping_layers_of_two_generators(self):
        found = {**MEAN, "g_ema": foreign.rosinality_g(), "g": foreign.rosinality_g(layers=1)}
        check_refused(found, "G_ema or G: the mapping_layers of one is 2, of the other 1")

    @pytest.mark.parametrize(("setting", "value"), [("size", 32), ("latent", 512), ("n_mlp", 8)])
    def test_settings_of_the_training_run(self, setting, value):
        known = {"size": 16, "latent": 5, "n_mlp": 2, "path": "lmdb"}
        found = {**MEAN, "g_ema": foreign.rosinality_g()}
        args = Record("argparse", "Namespace", dict(known))
        networks, _ = rosinality2.read({**found, "args": args}, "file")
        assert list(networks) == ["G_ema"]
        args = Record("argparse", "Namespace", {**known, setting: value})
        check_refused({**found, "args": args}, f"and {value} by the settings", f"args.{setting}")

    @pytest.mark.parametrize("settings", [{}, {"size": "16"}, {"size": None, "n_mlp": 2.0}])
    def test_settings_that_say_nothing(self, settings):
        args = Record("argparse", "Namespace", settings)
        found = {**MEAN, "g_ema": foreign.rosinality_g(), "args": args}
        assert list(rosinality2.read(found, "file")[0]) == ["G_ema"]


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1, 1, 5), (5, 1)])
def test_the_mean_of_w_is_one_row(shape):
    found = {"g_ema": foreign.rosinality_g(), "latent_avg": torch.arange(5.0).reshape(shape)}
    networks, _ = rosinality2.read(found, "file")
    assert torch.equal(networks["G_ema"].w_mean, torch.arange(5.0))


@pytest.mark.parametrize("shape", [(2, 2), (4, 1, 2), (), (0,)])
def test_means_of_w_that_are_not_one_row_are_refused(shape):
    mean = torch.ones(shape)
    check_refused({"g_ema": foreign.rosinality_g(w_dim=4), "latent_avg": mean})


def test_a_discriminator_has_one_map_of_minibatch_deviations():
    d = foreign.rosinality_d()
    for extra, words in ((2, "takes 10 feature maps; expected the 8"), (0, "takes 8 feature maps")):
        d["final_conv.0.weight"] = torch.ones(8, 8 + extra, 3, 3)
        check_refused({**MEAN, "g_ema": foreign.rosinality_g(), "d": d}, words)


@pytest.mark.parametrize("rows", [None, 1, 6, 5, 18])
def test_the_mean_of_psp_has_a_row_for_each_layer(rows):
    mean = torch.arange(5.0) if rows is None else torch.arange(5.0).repeat(rows, 1)
    found = {"decoder": foreign.rosinality_g(), "latent_avg": mean}
    if rows in (None, 1, 6):
        networks, _ = psp.read(found, "file")
        assert torch.equal(networks["G_ema"].w_mean, torch.arange(5.0))
    else:
        words = f"latent_avg has {rows} rows, and the generator takes 6: weights of the decoder"
        check_refused(found, words, read=psp.read)
