"""Settings that forks added: neutral ones change nothing, others are refused in words.

References are the forks' own files, rebuilt with the original code (see the fixtures' README).
"""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import UnsupportedCheckpoint
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.checkpoints.pickles.torch_save import read_torch
from latentlab.checkpoints.systems.tensorflow.networks import read_networks
from tests.conftest import make_discriminator, make_generator, make_stylegan3
from tests.support.snapshots import Persistent, write_snapshot
from tests.support.tensorflow import pickles as tf_pickles
from tests.support.tolerances import IMAGE, W

SYNTHESIS = {"channel_base": 128, "channel_max": 8, "num_fp16_res": 4, "conv_clamp": None}
GENERATOR = {"z_dim": 6, "c_dim": 0, "w_dim": 5, "img_resolution": 16, "img_channels": 3,
             "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": SYNTHESIS}  # fmt: skip
DISCRIMINATOR = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, "channel_base": 128,
                 "channel_max": 8}  # fmt: skip
THIRD = {"z_dim": 6, "c_dim": 0, "w_dim": 5, "img_resolution": 16, "img_channels": 3,
         "mapping_kwargs": {"num_layers": 2}, "channel_base": 64, "channel_max": 6,
         "num_layers": 4, "num_critical": 1, "first_cutoff": 1.0, "first_stopband": 3.0,
         "margin_size": 4}  # fmt: skip


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a snapshot whose generator has settings beside its own, in the groups that are named.

    A group "" is the generator's own arguments.
    """

    def run(added, group="", make=make_generator, kwargs=GENERATOR, name="G_ema"):
        held = {**kwargs, group: {**kwargs.get(group, {}), **added}} if group else kwargs | added
        class_name = "Discriminator" if name == "D" else "Generator"
        found = {name: Persistent(make(), class_name, (), held)}
        if name == "D":
            found["G_ema"] = Persistent(make_generator(), "Generator", (), GENERATOR)
        return write_snapshot(tmp_path / "x.pkl", found, monkeypatch)

    return run


def image_of(g):
    z = torch.from_numpy(np.random.RandomState(0).randn(2, g.z_dim)).float()
    return g(z, truncation_psi=0.5)


def check_refused(path, *words):
    with pytest.raises(UnsupportedCheckpoint) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert [word for word in (f"{path}: ", *words) if word not in message] == [], message
    assert "\n" not in message


class TestGenuineFiles:
    def test_stylegan_human_square_is_equal_to_its_reference(self, shared):
        g = latentlab.load(shared / "reports" / "human_square.pkl").generator
        ref = read_torch(shared / "reports" / "human_square_ref.pt")
        torch.testing.assert_close(g.mapping(ref["z"]), ref["ws"], atol=W, rtol=0)
        images = g(ref["z"], truncation_psi=0.7, noise_mode="const")
        torch.testing.assert_close(images, ref["img"], atol=IMAGE, rtol=0)

    @pytest.mark.parametrize(
        ("file", "kind"),
        [("stylegan3_fun_sg2", "stylegan2-ada"), ("stylegan3_fun_sg3t", "stylegan3-t-nvidia")],
    )
    def test_what_was_frozen_in_training_is_no_matter(self, file, kind, shared, tmp_path):
        checkpoint = latentlab.load(shared / "reports" / f"{file}.pkl")
        assert checkpoint.kind == kind
        assert "notes" not in checkpoint.metadata
        image = image_of(checkpoint.generator)
        assert image.isfinite().all()
        latentlab.save(checkpoint, tmp_path / "copy.safetensors")
        copy = latentlab.load(tmp_path / "copy.safetensors").generator
        assert torch.equal(image_of(copy), image)

    def test_the_smallest_size_of_tensorflow_forks_is_no_matter(self, shared):
        path = shared / "reports" / "tf_min_size_square.pkl"
        found = read_pickle(path)
        added = ("min_h", "min_w", "res_log2", "use_attention")
        for record in (found, *found.state["components"].values()):
            for name in added:
                assert record.state["static_kwargs"].pop(name) is not None
        _, networks, _ = read_networks([found], "without")
        checkpoint = latentlab.load(path)
        assert checkpoint.kind == "stylegan2-tf"
        assert "notes" not in checkpoint.metadata
        assert checkpoint.config == networks["G_ema"].config
        assert torch.equal(image_of(checkpoint.generator), image_of(networks["G_ema"]))

    def test_what_is_not_square_is_refused_with_its_sizes(self, shared):
        path = shared / "reports" / "nonsquare_init_res.pkl"
        check_refused(path, "not square: 4x3", "12 px wide and 16 px high", "only square images")


NEUTRAL = [
    ({"freeze_layers": 0}, ""),
    ({"freeze_layers": 3, "freeze_embed": True}, "mapping_kwargs"),
    ({"freeze_layers": 2, "freeze_torgb": ["b16"]}, "synthesis_kwargs"),
    ({"init_res": [4, 4]}, ""),
    ({"init_res": (4, 4)}, "synthesis_kwargs"),
    ({"init_res": 4}, ""),
    ({"square": True}, ""),
    ({"square": 1}, "synthesis_kwargs"),
    ({"min_h": 4, "min_w": 4, "res_log2": 2}, ""),
    ({"resolution_h": 16, "resolution_w": 16}, ""),
    ({"use_attention": False}, ""),
    ({"attention": None, "attn_resolutions": [], "self_attention": 0}, "synthesis_kwargs"),
    ({"kernel_size": 3}, "synthesis_kwargs"),
    ({"countHW": [1, 1], "splitfine": 0.0}, ""),
]


@pytest.mark.parametrize(("added", "group"), NEUTRAL, ids=str)
def test_neutral_settings_change_nothing(added, group, write):
    checkpoint = latentlab.load(write(added, group))
    assert "notes" not in checkpoint.metadata
    assert torch.equal(image_of(checkpoint.generator), image_of(make_generator()))


def test_neutral_settings_of_stylegan3_and_of_discriminators(write):
    third = latentlab.load(
        write({"square": True, "freeze_x": 1}, make=make_stylegan3, kwargs=THIRD)
    )
    assert third.kind == "stylegan3-t-nvidia"
    path = write({"square": True, "init_res": [4, 4]}, "", make_discriminator, DISCRIMINATOR, "D")
    assert latentlab.load(path).discriminator is not None


OTHERS = [
    ({"init_res": [4, 3]}, "not square: 4x3", "12 px wide and 16 px high"),
    ({"init_res": (5, 8)}, "not square: 5x8", "32 px wide and 20 px high"),
    ({"init_res": [8, 8]}, "starts at 8x8, not at 4x4"),
    ({"init_res": [4]}, "`init_res` must be one or two whole numbers"),
    ({"init_res": [4, "4"]}, "`init_res`"),
    ({"init_res": True}, "`init_res`"),
    ({"init_res": [4, 10**30]}, "`init_res`"),
    ({"square": False}, "not square: 16x8", "StyleGAN-Human"),
    ({"square": False, "img_resolution": 1024}, "not square: 1024x512"),
    ({"square": "no"}, "`square` must be true or false"),
    ({"min_h": 4, "min_w": 3, "res_log2": 2}, "not square: 4x3", "12 px wide and 16 px high"),
    ({"min_h": 3}, "not square: 3x4"),
    ({"min_h": 8, "min_w": 8, "res_log2": 1}, "starts at 8x8"),
    ({"min_h": -1}, "`min_h` must be a whole number"),
    ({"res_log2": 3}, "4 px doubled 3 times (`res_log2`) are 32 px, and not the resolution, 16"),
    ({"res_log2": 10**9}, "`res_log2`"),
    ({"res_log2": True}, "`res_log2`"),
    ({"resolution_h": 16, "resolution_w": 8}, "not square: 16x8"),
    ({"resolution_h": 32, "resolution_w": 32}, "`resolution_h` must be 16, the resolution"),
    ({"use_attention": True}, "attention layers (`use_attention` is True)"),
    ({"attn_resolutions": [8, 16]}, "attention layers"),
    ({"kernel_size": 5}, "`kernel_size` must be 3"),
    ({"countHW": [2, 2]}, "`countHW` must be [1, 1]"),
    ({"splitfine": True}, "`splitfine`"),
]  # fmt: skip


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: str(case[0]))
def test_settings_that_change_something_are_refused_in_words(case, write):
    added, *words = case
    check_refused(write(added), "G_ema: ", *words)


TENSORFLOW = [
    ({"min_h": 4, "min_w": 4, "res_log2": 2, "use_attention": False}, None),
    ({"init_res": [4, 4]}, None),
    ({"min_h": 4, "min_w": 3, "res_log2": 2}, "not square: 4x3"),
    ({"min_h": 4, "min_w": 4, "res_log2": 3}, "not the resolution, 16"),
    ({"use_attention": True}, "attention"),
    ({"resolution_h": 16, "resolution_w": 12}, "not square: 16x12"),
]


@pytest.mark.parametrize(("added", "words"), TENSORFLOW, ids=str)
@pytest.mark.parametrize("function", ["G_style", "G_main"])
def test_tensorflow_forks(function, added, words, tmp_path, monkeypatch):
    g, z, _, (images, _) = tf_pickles.make_generator(function)
    for network in (g, *g.state["components"].values()):
        network.state["static_kwargs"] = {**network.state["static_kwargs"], **added}
    path = tf_pickles.write_pickle(tmp_path / "x.pkl", g, monkeypatch)
    if words is not None:
        check_refused(path, words)
        return
    checkpoint = latentlab.load(path)
    assert "notes" not in checkpoint.metadata
    found = checkpoint.generator(torch.from_numpy(z).float())
    np.testing.assert_allclose(found.numpy(), images, atol=1e-3)


# Settings that nobody here knows.


@pytest.mark.parametrize(
    "added", [{"sle": None}, {"extra_blocks": []}, {"use_sle": False}, {"with_depth": 0}], ids=str
)
def test_unknown_settings_that_are_off_pass_with_a_note(added, write, tmp_path, monkeypatch):
    (name,) = added
    path = write(added, "synthesis_kwargs")
    (note,) = latentlab.load(path).metadata["notes"]
    assert note.endswith(f"off and taken to change nothing: {name}")
    g, *_ = tf_pickles.make_generator("G_main")
    g.state["static_kwargs"] = {**g.state["static_kwargs"], **added}
    tf_pickles.write_pickle(path, g, monkeypatch)
    assert name in latentlab.load(path).metadata["notes"][-1]


@pytest.mark.parametrize(
    "added",
    [
        {"warmth": 1}, {"warmth": 0}, {"warmth": False}, {"use_warmth": True}, {"use_warmth": 0.0},
        {"use_demodulation": False}, {"use_mod": 0}, {"with_bias": False}, {"use_noise_maps": 0},
        {"use_pixel_norm": False}, {"normalization": None}, {"use_wscale": False},
        {"activations": None}, {"blur": []}, {"demodulate": False}, {"leaky_slope": None},
    ],
    ids=str,
)  # fmt: skip
def test_unknown_settings_that_may_matter_are_refused(added, write):
    (name,) = added
    check_refused(
        write(added, "synthesis_kwargs"), f"synthesis_kwargs: unknown setting {name}, which may"
    )


def test_several_unknown_settings_are_all_named(write):
    check_refused(write({"warmth": 1, "depth": 2, "sle": None}), "setting depth, warmth, which")
