"""Projected GAN's FastGAN snapshots against that code's own outputs, and float64 computations."""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, LatentError, UnsupportedCheckpoint
from tests.conftest import make_generator, scarce_memory
from tests.support.generators import fastgan_reference as reference
from tests.support.generators import projected_gan as files
from tests.support.snapshots import Persistent, write_snapshot

# Absolute, float32 against the original's float32: three times what its own float32 differs from
# its float64, as measured with the files.
GENUINE = {"projected_gan_fastgan_128": 3 * 1.6e-7, "projected_gan_fastgan_lite_128": 3 * 6.3e-6,
           "projected_gan_fastgan_lite_cond_128": 3 * 8.2e-7}  # fmt: skip
ROUNDED = 5e-7  # absolute, our float32 against float64, values up to 0.8; measured 1.1e-7
KINDS = [{}, {"lite": True}, {"c_dim": 3}, {"c_dim": 3, "lite": True}]


@pytest.fixture
def write(tmp_path, monkeypatch):
    def snapshot(g, **rest):
        found = {"G": None, "D": None, "G_ema": g, **rest}
        return files.write(tmp_path / "network.pkl", found, monkeypatch)

    return snapshot


# Genuine files.


@pytest.mark.parametrize("name", GENUINE)
def test_images_of_genuine_files(name, shared):
    path = shared / "more" / f"{name}.pkl"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    opened = latentlab.load(path)
    g, ref = opened.generator, np.load(path.with_name(f"{name}_ref.npz"))
    z = torch.from_numpy(ref["z"])
    c = torch.from_numpy(ref["c"]) if g.c_dim else None
    images = g(z, c, noise_mode="none").numpy()  # the reference left noise out
    np.testing.assert_allclose(images[0], ref["img_s0"], atol=GENUINE[name], rtol=0)
    every2 = images[1, :, ::2, ::2]
    np.testing.assert_allclose(every2, ref["img_s1_every2"], atol=GENUINE[name], rtol=0)
    assert (opened.kind, g.has_w) == ("fastgan-projected-gan", False)
    assert opened.images_shown == 1000
    assert opened.metadata["training_set"]["resolution"] == 128
    assert ("notes" in opened.metadata) == (not g.config.lite)


# Files made here, against float64 from their own state dicts.


def noise_of(g):
    found = {}
    for layer in g.synthesis.noise_layers:
        found.setdefault(layer.resolution, []).append(layer.noise_const.double().numpy())
    return found


@pytest.mark.parametrize(
    ("settings", "resolution"), [*((kind, 128) for kind in KINDS), ({"lite": True}, 256)]
)
def test_images_equal_a_float64_computation(settings, resolution, write):
    theirs = files.generator(resolution, ngf=2, **settings)
    weights = {key.removeprefix("synthesis."): value.double().numpy()
               for key, value in theirs.state_dict().items()}  # fmt: skip
    g = latentlab.load(write(theirs)).generator
    assert (g.resolution, g.z_dim, g.c_dim) == (resolution, 4, settings.get("c_dim", 0))
    z = np.random.RandomState(0).randn(1, 4)
    c = torch.eye(3)[[2]] if g.c_dim else None
    for mode, noise in (("const", noise_of(g)), ("none", {r: [0, 0] for r in noise_of(g)})):
        expected = reference.image(weights, z[0], 2 if g.c_dim else None, noise, resolution)
        found = g(torch.from_numpy(z), c, noise_mode=mode)[0].numpy()
        np.testing.assert_allclose(found, expected, atol=ROUNDED, rtol=0)


@pytest.mark.parametrize("settings", KINDS)
def test_it_is_saved_as_it_is(settings, write, tmp_path):
    g = latentlab.load(write(files.generator(**settings))).generator
    latentlab.save(g, tmp_path / "again.safetensors")
    again = latentlab.load(tmp_path / "again.safetensors").generator
    z, c = torch.ones(1, 4), torch.eye(3)[:1] if g.c_dim else None
    assert again.config == g.config
    assert torch.equal(again(z, c), g(z, c))


def test_a_file_opens_with_the_same_noise_every_time(write):
    path, z = write(files.generator()), torch.ones(1, 4)
    first, second = (latentlab.load(path).generator(z) for _ in range(2))
    assert torch.equal(first, second)


def test_stale_copies_of_weights_are_not_taken(write):
    """The attribute beside weight_orig is of the last step of training."""
    theirs = files.generator()
    expected = latentlab.load(write(theirs)).generator(torch.ones(1, 4))
    theirs.synthesis.to_big.__dict__["weight"] = torch.full([3, 4, 3, 3], 1e3)
    assert torch.equal(latentlab.load(write(theirs)).generator(torch.ones(1, 4)), expected)


def test_a_discriminator_of_other_peoples_networks_is_left_aside(write):
    raw = files.generator(seed=1).train()
    path = write(files.generator(), G=raw, D=files.discriminator())
    opened = latentlab.load(path)
    assert list(opened.networks) == ["G_ema", "G"]
    assert "D" in opened.metadata["ignored"]
    assert not opened.raw_generator.training


def test_a_table_may_have_more_classes_than_the_label(write):
    """Its size is an option of its own; rows beyond the label are out of reach."""
    theirs = files.generator(c_dim=3, classes=9)
    g = latentlab.load(write(theirs)).generator
    assert g.embed.weight.shape == (3, 4)
    assert torch.equal(g.embed.weight, theirs.synthesis.embed.weight[:3])


def test_norms_of_classes_may_have_no_shifts_of_their_own(write):
    theirs = files.generator(c_dim=2, bias=False, lite=True, ngf=2)
    weights = {key.removeprefix("synthesis."): value.double().numpy()
               for key, value in theirs.state_dict().items()}  # fmt: skip
    g = latentlab.load(write(theirs)).generator
    z = np.random.RandomState(0).randn(1, 4)
    expected = reference.image(weights, z[0], 1, noise_of(g), 128)
    found = g(torch.from_numpy(z), torch.eye(2)[[1]])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=ROUNDED, rtol=0)


def test_labels_between_classes_are_refused(write):
    g = latentlab.load(write(files.generator(c_dim=2))).generator
    with pytest.raises(LatentError, match="labels must be one-hot"):
        g(torch.ones(1, 4), torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize("settings", KINDS)
def test_a_bare_state_dict_and_a_saved_module(settings, write, tmp_path, monkeypatch):
    theirs, z = files.generator(**settings), torch.ones(1, 4)
    g = latentlab.load(write(theirs)).generator
    c = torch.eye(3)[:1] if g.c_dim else None
    torch.save(theirs.state_dict(), tmp_path / "state.pt")
    files.write(tmp_path / "alone.pkl", theirs, monkeypatch)
    for name in ("state.pt", "alone.pkl"):
        opened = latentlab.load(tmp_path / name)
        assert opened.kind == "fastgan-projected-gan"
        assert torch.equal(opened.generator(z, c), g(z, c))


def test_its_stylegan2_opens_as_the_other_releases_do(tmp_path, monkeypatch):
    """Their config stylegan2, a persistence object, beside a discriminator of no known kind."""
    g = make_generator(conv_clamp=256)
    kwargs = {"c_dim": 0, "z_dim": 6, "w_dim": 5, "img_resolution": 16, "img_channels": 3,
              "mapping_kwargs": {"num_layers": 2}, "channel_base": 128, "channel_max": 8,
              "fused_modconv_default": "inference_only"}  # fmt: skip
    own = Persistent(g, "Generator", (), kwargs)
    write_snapshot(tmp_path / "x.pkl", {}, monkeypatch)  # its stand-ins
    path = files.write(tmp_path / "x.pkl", {"D": files.discriminator(), "G_ema": own}, monkeypatch)
    opened = latentlab.load(path)
    assert opened.kind == "stylegan2-ada"
    assert torch.equal(opened.generator(torch.ones(1, 6)), g(torch.ones(1, 6)))
    assert "D" in opened.metadata["ignored"]


# What does not fit.


def check_refused(path, *words, kind=CheckpointError):
    with scarce_memory(), pytest.raises(kind) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert [word for word in (str(path), *words) if word not in message] == [], message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: delattr(g.synthesis.feat_16[3], "bias"),
         ["missing", "synthesis.feat_16.3.bias"]),
        (lambda g: delattr(g.synthesis.feat_64[1], "weight_u"), ["feat_64.1.weight_u", "missing"]),
        (lambda g: delattr(g.synthesis, "feat_32"), ["synthesis.feat_32 has 0 convolutions"]),
        (lambda g: g.synthesis.add_module("odd", torch.nn.Linear(2, 2)),
         ["belong to no known layer", "synthesis.odd.bias"]),
        (lambda g: g.synthesis.feat_16.add_module("9", files.conv(2, 2)),
         ["feat_16 has 3 convolutions"]),
        (lambda g: setattr(g.synthesis.se_128.main, "1", files.conv(3, 3, 4, 0)),
         ["b128.skip.pooled_weight has shape [3, 3, 4, 4]"]),
        (lambda g: g.synthesis.to_big.weight_v.zero_(),
         ["b128.torgb.weight holds NaN or infinity"]),
        (lambda g: setattr(g.synthesis.to_big, "weight_v", torch.zeros(2)),
         ["to_big.weight_v must hold 36 numbers", "shape [2]"]),
        (lambda g: setattr(g.synthesis.init.init[0], "weight_orig",
                           torch.nn.Parameter(torch.zeros(4))), ["has shape [4]"]),
        (lambda g: setattr(g.synthesis.init.init[0], "weight_orig",
                           torch.nn.Parameter(torch.zeros(0, 2))), ["has shape [0, 2]"]),
        (lambda g: setattr(g.synthesis, "to_big", files.conv(99, 3, bias=True)),
         ["takes 99 maps"]),
        (lambda g: setattr(g, "img_resolution", 512), ["img_resolution is not 128"]),
        (lambda g: setattr(g, "img_channels", 1), ["img_channels is not 3"]),
        (lambda g: setattr(g, "z_dim", "4"), ["z_dim is not 4"]),
        (lambda g: setattr(g.synthesis.feat_8[3], "weight", torch.nn.Parameter(
            torch.full([64], float("nan")))), ["b8.conv0.norm.weight holds NaN"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(change, words, write):
    theirs = files.generator()
    change(theirs)
    check_refused(write(theirs), "G_ema", *words)


@pytest.mark.parametrize("c_dim", [0, 4, None, 2.0])
def test_a_label_that_is_no_row_of_the_table(c_dim, write):
    theirs = files.generator(c_dim=3)
    theirs.c_dim = c_dim
    check_refused(write(theirs), "c_dim must be", "1 to 3", kind=UnsupportedCheckpoint)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.9])
def test_a_file_that_was_cut_short(part, write):
    path = write(files.generator())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    check_refused(path)
