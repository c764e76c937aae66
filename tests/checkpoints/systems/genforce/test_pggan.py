"""Progressive GANs of genforce/genforce against that code's own outputs."""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, SettingsError
from tests.conftest import make_progan, make_stylegan1_discriminator
from tests.support import renamed
from tests.support.refusals import assert_refused
from tests.support.second_set import assert_images, opened
from tests.support.tolerances import IMAGE, SCORE

WIDTHS = (8, 8, 6)  # with another number of feature maps at the end, which shows what is fused
EQUAL = (8, 8, 8)


def make_g(fused=False, **changes):
    settings = {"fused_from": 8 if fused else None, "channel_table": WIDTHS, "z_dim": 8}
    return make_progan(**{**settings, **changes})


def make_d(fused=False, **changes):
    settings = {"blur_filter": None, "mbstd_group_size": 16, "fused_from": 8 if fused else None}
    return make_stylegan1_discriminator(**settings, halves_last=not fused, **changes)


@pytest.fixture(scope="module")
def genuine(shared):
    return opened(shared, "genforce_pggan_32.pth")


class TestParity:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "progan-genforce"
        assert list(checkpoint.networks) == ["G_ema", "G", "D"]
        assert checkpoint.metadata == {}
        g = checkpoint.generator
        assert (g.resolution, g.channels, g.z_dim, g.c_dim, g.has_w) == (32, 3, 16, 0, False)
        assert g.config.fused_from is checkpoint.discriminator.config.fused_from is None

    def test_a_file_of_fused_layers(self, shared):
        checkpoint, ref = opened(shared, "genforce_pggan_fused_32.pth")
        assert checkpoint.config.fused_from == 8
        assert_images(checkpoint.generator(ref["z"]), ref, "img")
        assert_images(checkpoint.raw_generator(ref["z"]), ref, "img_generator_not_smooth")
        score = checkpoint.discriminator(ref["img"])
        torch.testing.assert_close(score, ref["d_n4"], atol=SCORE, rtol=0)
        for lod in ("1", "1.5", "3"):
            checkpoint.generator.synthesis.set_lod(float(lod))
            assert_images(checkpoint.generator(ref["z"][:2]), ref, f"img_lod{lod}")

    def test_official_weights_under_their_names(self, shared, torch_saved):
        """The original network fuses everywhere; its own outputs, not those of theirs."""
        official = latentlab.load(shared / "pgan_32.pkl")
        path = torch_saved(generator_smooth=renamed.genforce_pggan_g(official.generator))
        g = latentlab.load(path, assume={"fused_scale": True}).generator
        with np.load(shared / "pgan_32_ref.npz") as file:
            ref = {name: torch.from_numpy(file[name]) for name in file.files}
        image = g(ref["z"])
        torch.testing.assert_close(image, ref["images_psi07"], atol=IMAGE, rtol=0)


class TestFusedScale:
    @pytest.mark.parametrize("fused", [True, False])
    @pytest.mark.parametrize("is_told", [True, False])
    def test_it_is_seen_where_the_number_of_feature_maps_changes(self, fused, is_told, torch_saved):
        g, d = make_g(fused), make_d(fused)
        parts = {"generator": renamed.genforce_pggan_g(g)}
        parts["discriminator"] = renamed.genforce_pggan_d(d)
        assume = {"fused_scale": fused} if is_told else None
        checkpoint = latentlab.load(torch_saved(**parts), assume=assume)
        z, images = torch.randn(2, g.z_dim), torch.randn(16, 3, 16, 16)
        assert torch.equal(checkpoint.generator(z), g(z))
        assert torch.equal(checkpoint.discriminator(images), d(images))
        assert "notes" not in checkpoint.metadata

    @pytest.mark.parametrize("fused", [True, False])
    def test_it_is_assumed_where_it_cannot_be_seen(self, fused, torch_saved):
        g = make_g(fused, channel_table=EQUAL)
        path = torch_saved(generator=renamed.genforce_pggan_g(g))
        checkpoint = latentlab.load(path, assume={"fused_scale": fused})
        z = torch.randn(2, g.z_dim)
        assert torch.equal(checkpoint.generator(z), g(z))
        assert "notes" not in checkpoint.metadata
        checkpoint = latentlab.load(path)
        assert torch.equal(checkpoint.generator(z), g(z)) != fused
        [note] = checkpoint.metadata["notes"]
        assert "fused_scale" in note
        assert "taken not to be" in note

    @pytest.mark.parametrize("fused", [True, False])
    def test_what_the_shapes_contradict(self, fused, torch_saved):
        path = torch_saved(generator=renamed.genforce_pggan_g(make_g(fused)))
        seen = str(fused).lower()
        with pytest.raises(CheckpointError, match=f"shapes of the weights show that it is {seen}"):
            latentlab.load(path, assume={"fused_scale": not fused})

    def test_other_values(self, torch_saved):
        path = torch_saved(generator=renamed.genforce_pggan_g(make_g()))
        with pytest.raises(SettingsError, match="fused_scale must be one of auto, true, false"):
            latentlab.load(path, assume={"fused_scale": "perhaps"})


class TestLabels:
    """They are part of the first layer's inputs, and only a discriminator shows how many."""

    def check(self, g, found):
        assert (found.z_dim, found.c_dim) == (6, 3)
        z, c = torch.randn(2, 6), torch.eye(3)[:2]
        assert torch.equal(found.synthesis.b4.layer0.weight, g.synthesis.b4.layer0.weight)
        assert torch.equal(found(z, c), g(z, c))

    def test_from_the_discriminator(self, torch_saved):
        g, d = make_g(z_dim=6, c_dim=3, normalizes_z_first=True), make_d()
        parts = {"generator": renamed.genforce_pggan_g(g)}
        parts["discriminator"] = renamed.genforce_pggan_d(d, labels=3)
        path = torch_saved(**parts)
        checkpoint = latentlab.load(path)
        self.check(g, checkpoint.generator)
        images = torch.randn(4, 3, 16, 16)
        assert torch.equal(checkpoint.discriminator(images), d(images))
        assert checkpoint.metadata["notes"] == [
            "The discriminator's 3 outputs for labels beside its score are left out."
        ]
        with pytest.raises(CheckpointError, match="labels of length 3"):
            latentlab.load(path, assume={"c_dim": 2})

    @pytest.mark.parametrize("given", [3, "3"])
    def test_assumed(self, given, torch_saved):
        g = make_g(z_dim=6, c_dim=3, normalizes_z_first=True)
        path = torch_saved(generator=renamed.genforce_pggan_g(g))
        checkpoint = latentlab.load(path, assume={"c_dim": given})
        self.check(g, checkpoint.generator)
        assert "notes" not in checkpoint.metadata

    def test_an_unusual_number_of_inputs_is_noted(self, torch_saved):
        checkpoint = latentlab.load(
            torch_saved(generator=renamed.genforce_pggan_g(make_g(z_dim=9)))
        )
        assert checkpoint.generator.z_dim == 9
        [note] = checkpoint.metadata["notes"]
        assert "9 inputs" in note
        assert "c_dim" in note

    @pytest.mark.parametrize("given", [-1, 1.5, "three", None, True])
    def test_other_values(self, given, torch_saved):
        path = torch_saved(generator=renamed.genforce_pggan_g(make_g()))
        with pytest.raises(SettingsError, match="c_dim must be a whole number"):
            latentlab.load(path, assume={"c_dim": given})

    @pytest.mark.parametrize("given", [8, 10**9])
    def test_more_than_there_can_be(self, given, torch_saved):
        path = torch_saved(generator=renamed.genforce_pggan_g(make_g()))
        with pytest.raises(CheckpointError, match=r"c_dim|z_dim"):
            latentlab.load(path, assume={"c_dim": given})


class TestRefusals:
    @pytest.mark.parametrize("name", ["lod", "layer0.bias", "layer3.bias", "output1.weight"])
    def test_missing_weights(self, name, torch_saved):
        found = renamed.genforce_pggan_g(make_g())
        del found[name]
        assert_refused(
            torch_saved(generator_smooth=found), CheckpointError, "generator_smooth", name
        )

    def test_unknown_weights(self, torch_saved):
        g = renamed.genforce_pggan_g(make_g()) | {"layer9.weight": torch.ones(1)}
        assert_refused(torch_saved(generator=g), CheckpointError, "layer9.weight")

    @pytest.mark.parametrize("shape", [(3,), (1, 1), ()])
    def test_a_score_whose_bias_has_another_length(self, shape, torch_saved):
        d = renamed.genforce_pggan_d(make_d()) | {"layer6.bias": torch.ones(shape)}
        path = torch_saved(generator=renamed.genforce_pggan_g(make_g()), discriminator=d)
        assert_refused(path, CheckpointError, "discriminator", "layer6")

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("layer0.weight", (8, 8)),
            ("layer0.weight", (8, 8, 3, 3)),
            ("layer0.weight", (7, 8, 4, 4)),
            ("layer2.weight", (8, 7, 3, 3)),
            ("layer4.weight", (7, 7, 3, 3)),
            ("output0.weight", (3, 8)),
            ("output2.weight", (3, 10**4, 1, 1)),
            ("lod", (2,)),
        ],
    )
    def test_weights_of_other_shapes(self, name, shape, torch_saved):
        g = renamed.genforce_pggan_g(make_g()) | {name: torch.zeros(shape)}
        assert_refused(torch_saved(generator_smooth=g), CheckpointError, "generator_smooth")
