"""FastGAN's generator; what its files hold is compared in tests/checkpoints/systems."""

import copy

import pytest
import torch

import latentlab
from latentlab import LatentError, SettingsError
from latentlab.networks.fastgan_config import FastGANConfig
from tests.conftest import make_fastgan

KINDS = [{}, {"lite": True}, {"c_dim": 3}, {"c_dim": 3, "lite": True}]


def draw(n=2):
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(0))


def labels_of(g, n=2):
    return torch.eye(3)[:n] if g.c_dim else None


@pytest.mark.parametrize("settings", KINDS)
def test_images_come_from_z_and_labels(settings):
    g = make_fastgan(**settings)
    z, c = draw(), labels_of(g)
    images = g(z, c)
    assert images.shape == (2, 3, 128, 128)
    assert torch.equal(g.synthesis(g.latents(z, c)), images)
    if c is not None:
        assert (g(z, c.flip(0)) - images).abs().max() > 1e-3


@pytest.mark.parametrize("settings", KINDS)
def test_only_the_direction_of_z_counts_and_no_other_sample(settings):
    g = make_fastgan(**settings).double()
    z, c = draw().double() * 1000, labels_of(g)  # so that the epsilon of the norm counts little
    images = g(z, c)
    torch.testing.assert_close(g(2 * z, c), images)
    torch.testing.assert_close(g(z[1:], None if c is None else c[1:]), images[1:])


@pytest.mark.parametrize("settings", KINDS)
def test_noise(settings):
    g = make_fastgan(**settings)
    z, c = draw(), labels_of(g)
    shapes = [] if g.config.lite else [r for r in (8, 16, 32, 64, 128) for _ in range(2)]
    assert g.synthesis.noise_shapes == [(1, 1, r, r) for r in shapes]
    without = g(z, c, noise_mode="none")
    maps = [layer.noise_const[None, None] for layer in g.synthesis.noise_layers]
    assert torch.equal(g(z, c, noise=maps), g(z, c))
    rng = torch.Generator().manual_seed(1)
    for other in (g(z, c), g(z, c, noise_mode="random", rng=rng)):
        assert torch.equal(other, without) == g.config.lite


@pytest.mark.parametrize("resolution", [128, 256, 512, 1024])
def test_every_size(resolution):
    count = {128: 6, 256: 7, 512: 8, 1024: 9}[resolution]
    g = make_fastgan(resolution=resolution, channel_table=(2,) * count, lite=True)
    assert g(draw(1)).shape == (1, 3, resolution, resolution)
    gated = [block.resolution for block in g.synthesis.blocks if block.skip is not None]
    assert gated == [size for size in (64, 128, 256, 512) if size <= resolution]


def test_feature_maps_as_published():
    published = FastGANConfig(1024)
    sizes = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
    maps = [published.feature_maps(size) for size in sizes]
    assert maps == [2048, 1024, 512, 256, 256, 128, 64, 32, 16]


@pytest.mark.parametrize(
    "use",
    [
        lambda g: g.mapping(torch.zeros(1, 5)),
        lambda g: g.num_ws,
        lambda g: g.w_dim,
        lambda g: g.w_mean,
        lambda g: g(torch.zeros(1, 5), truncation_psi=0.7),
        lambda g: g(torch.zeros(1, 5), truncation_cutoff=2),
        lambda g: latentlab.project(g, torch.zeros(1, 3, 128, 128), torch.dist),
    ],
)
def test_what_belongs_to_w_is_refused_by_its_name(use):
    g = make_fastgan()
    assert isinstance(g, latentlab.Generator)
    assert not g.has_w
    with pytest.raises(LatentError, match=r"^a FastGAN has no W"):
        use(g)


@pytest.mark.parametrize(
    ("z", "c", "message"),
    [
        (torch.zeros(1, 4), torch.eye(3)[:1], r"`z` must have shape"),
        (torch.zeros(1, 5), None, r"needs `c`"),
        (torch.zeros(1, 5), torch.eye(3)[:2], r"`c` must have shape"),
        (torch.zeros(1, 5), torch.full([1, 3], 1 / 3), r"labels must be one-hot"),
    ],
)
def test_input_that_does_not_fit(z, c, message):
    with pytest.raises(LatentError, match=message):
        make_fastgan(c_dim=3)(z, c)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"resolution": 64}, "resolution"),
        ({"resolution": 2048}, "resolution"),
        ({"resolution": 128, "channel_table": (4, 4)}, "channel_table"),
        ({"resolution": 128, "channel_table": (4, 4, 4, 4, 0, 4)}, "channel_table"),
        ({"resolution": 128, "z_dim": 0}, "z_dim"),
        ({"resolution": 128, "lite": 1}, "lite"),
    ],
)
def test_settings_that_do_not_fit(settings, field):
    with pytest.raises(SettingsError, match=f"`{field}` must be"):
        FastGANConfig(**settings)


@pytest.mark.parametrize("settings", KINDS)
def test_it_is_copied_and_saved_as_it_is(settings, tmp_path):
    g = make_fastgan(**settings)
    latentlab.save(g, tmp_path / "g.safetensors")
    opened = latentlab.load(tmp_path / "g.safetensors")
    assert (opened.kind, opened.config) == ("fastgan-native", g.config)
    z, c = draw(), labels_of(g)
    for again in (opened.generator, copy.deepcopy(g)):
        assert torch.equal(again(z, c), g(z, c))


def test_colour_of_a_grey_one_is_grey():
    from latentlab.checkpoints.assemble import in_colour

    g = make_fastgan(channels=1)
    torch.testing.assert_close(in_colour(g)(draw()), g(draw()).expand(-1, 3, -1, -1))
