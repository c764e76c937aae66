import numpy as np
import pytest
import torch

from latentlab import LatentError, SettingsError, load
from latentlab.latents import draw_noise
from latentlab.numerics import Stream
from metrics import stochastic_variation
from metrics.drawn_deviations import uncertainty
from metrics.noise_variation import deviation_maps, latent, noise_sets, realisations
from tests.conftest import make_fastgan, make_generator, make_progan, make_stylegan1, make_stylegan3
from tests.support.planted.noise import planted_map, planted_noise, planted_scale

ROUNDING = 3e-6  # in float32, on images of scale 5: rows of tiny networks differ in a batch


@pytest.fixture(scope="module")
def g():
    return make_generator()


@pytest.fixture
def digits():
    """A real network, whose rows do not differ at all in batches of whole groups."""
    return load("builtin:digits-stylegan2").generator


def with_strengths(g, strengths):
    for layer, strength in zip(g.synthesis.noise_layers, strengths, strict=True):
        layer.noise_strength.fill_(strength)
    return g


class Adder:
    """A generator whose image is w plus known multiples of its two noise maps."""

    num_ws, w_dim, z_dim, c_dim, resolution, channels = 1, 4, 4, 0, 8, 3

    def __init__(self, strengths):
        self.synthesis, self._strengths = self._Synthesis(strengths), strengths

    class _Synthesis:
        noise_shapes = ((1, 1, 4, 4), (1, 1, 8, 8))

        def __init__(self, strengths):
            self._strengths = strengths

        def __call__(self, ws, noise):
            coarse = noise[0].repeat_interleave(2, 2).repeat_interleave(2, 3)
            moved = coarse * self._strengths[0] + noise[1] * self._strengths[1]
            return ws.mean(dim=[1, 2])[:, None, None, None] + moved.expand(len(ws), 3, 8, 8)

    def mapping(self, z, c=None, truncation_psi=1.0):
        return z[:, None] * truncation_psi

    def parameters(self):
        return iter(())


# The map.


def test_the_map_equals_a_float64_computation_on_all_images_at_once(g):
    ws, draws = latent(g, 5, seed=3), 11
    keys = [(5 << 32) + draw for draw in range(draws)]
    noise = draw_noise(keys, g, 3, Stream.STOCHASTIC)
    images = torch.cat(
        [g.synthesis(ws, noise=[level[i : i + 1] for level in noise]) for i in range(draws)]
    )
    expected = images.double().numpy().std(axis=0, ddof=1)
    found = deviation_maps(g, ws, num_draws=draws, seed=3, numbers=[5])
    assert found.shape == (1, g.channels, 16, 16)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-6)


def test_noise_added_to_the_picture_has_its_strength_as_deviation():
    ws = torch.zeros(1, 1, 4)
    maps = deviation_maps(Adder((0.3, 0.4)), ws, num_draws=4000, batch=500)
    np.testing.assert_allclose(maps, 0.5, rtol=0.06)  # the root of 0.3² + 0.4²
    assert np.all(maps[:, 0] == maps[:, 2])
    fine = deviation_maps(Adder((0.3, 0.4)), ws, [1], num_draws=4000, batch=500)
    np.testing.assert_allclose(fine, 0.4, rtol=0.06)


def test_the_map_follows_the_last_layers_strength_linearly():
    ws = latent(make_generator(), 0)
    maps = []
    for strength in (0.01, 0.02):
        g = with_strengths(make_generator(), [0, 0, 0, 0, strength])
        # Positive before the activation, so that it changes nothing but the scale.
        g.synthesis.blocks[-1].get_submodule("conv1").bias.fill_(100)
        maps.append(deviation_maps(g, ws, num_draws=20))
    assert maps[0].min() > 0
    np.testing.assert_allclose(maps[1], 2 * maps[0], rtol=0.01)


def test_noise_of_no_strength_changes_nothing_at_all(digits):
    g = with_strengths(digits, [0] * 7)
    assert not deviation_maps(g, latent(g, 0), num_draws=9).any()


def test_noise_in_the_first_layer_alone_is_not_seen_in_the_fine_set(digits):
    g = with_strengths(digits, [0.5, 0, 0, 0, 0, 0, 0])
    rows = stochastic_variation(g, 2, 8).rows.set_index("layers")["value"]
    assert rows["all"] == rows["coarse"] > 0
    assert rows["fine"] == rows["none"] == 0


def test_a_latent_keeps_its_map_whatever_its_neighbours(g):
    ws = torch.cat([latent(g, i) for i in range(3)])
    together = deviation_maps(g, ws, num_draws=6)
    alone = deviation_maps(g, ws[2:], num_draws=6, numbers=[2])
    np.testing.assert_array_equal(together[2], alone[0])


def test_realisations_are_the_draws_that_the_map_is_made_of(g):
    ws, layers = latent(g, 0), noise_sets(g)["fine"]
    images = realisations(g, ws, layers, range(8))
    expected = images.double().numpy().std(axis=0, ddof=1)
    np.testing.assert_allclose(
        deviation_maps(g, ws, layers, num_draws=8)[0], expected, rtol=1e-9, atol=1e-15
    )
    later = realisations(g, ws, layers, range(4, 8))
    # Equal but for float32's rounding: some processors convolve batches of 4 and of 8 by kernels
    # that add in another order (2e-6 on images of up to 4, measured on AVX-512).
    torch.testing.assert_close(images[4:], later, rtol=0, atol=1e-5)


# A StyleGAN2 whose deviations are known.


@pytest.mark.parametrize(("name", "strengths"), [
    ("all", (0.3, 0.2)), ("coarse", (0.3, 0.0)), ("fine", (0.0, 0.2)),
])  # fmt: skip
def test_the_map_of_a_planted_generator_is_the_known_one(name, strengths):
    g, slope = planted_noise(0.3, 0.2, slope=0.5), 0.5
    ws = torch.cat([latent(g, i) for i in range(2)])
    found = deviation_maps(g, ws, noise_sets(g)[name], num_draws=1500)
    expected = planted_scale(ws, slope)[:, None, None, None] * planted_map(*strengths)
    # The deviation of 1,500 Gaussian draws has a standard error of 1.8 %; this is of 384 pixels.
    np.testing.assert_allclose(found / expected, 1, atol=0.07)
    assert (found / expected).mean() == pytest.approx(1, abs=0.005)


def test_the_last_layers_map_is_that_of_its_own_noise():
    g, draws = planted_noise(0.3, 0.2), 9
    noise = draw_noise(range(draws), g, 0, Stream.STOCHASTIC)[-1].double().numpy()
    found = deviation_maps(g, latent(g, 0), noise_sets(g)["fine"], num_draws=draws)
    expected = 0.2 * noise.std(axis=0, ddof=1)
    np.testing.assert_allclose(found[0], np.broadcast_to(expected, [3, 8, 8]), rtol=1e-5)


def test_coarse_and_fine_noise_add_up_by_their_variances():
    g = planted_noise(0.3, 0.2)
    rows = stochastic_variation(g, 4, 400).rows.set_index("layers")["value"]
    for name, strengths in {"all": (0.3, 0.2), "coarse": (0.3, 0), "fine": (0, 0.2)}.items():
        known = 127.5 * planted_map(*strengths).mean()
        assert rows[name] == pytest.approx(known, rel=0.02)
    assert rows["none"] == 0


def test_intervals_hold_the_known_deviation():
    g, slope = planted_noise(0.3, 0.2, slope=0.1), 0.1
    result = stochastic_variation(g, 150, 10)
    scale = planted_scale(torch.cat([latent(g, i) for i in range(150)]), slope).mean()
    truth, held, before = 127.5 * 0.2 * scale, 0, 0
    rng, times = np.random.default_rng(0), 400
    for values in rng.choice(result.samples["fine"], [times, 16]):
        found = uncertainty(values, 10)
        held += found.ci_low <= truth <= found.ci_high
        old = bootstrap_of(values, rng)
        before += old[0] <= truth <= old[1]
    assert 0.92 < held / times < 0.98  # 95 % of 400 have a standard deviation of 1.1 %
    assert before / times < 0.9  # too narrow for 16 latents, and 10 draws give 97 % of a deviation


def bootstrap_of(values, rng):
    return np.quantile(values[rng.integers(16, size=[300, 16])].mean(axis=1), [0.025, 0.975])


# The metric.


def test_values_are_the_means_of_the_maps_over_pixels_and_latents(g):
    result = stochastic_variation(g, num_latents=3, num_draws=7, seed=2, truncation_psi=0.7)
    ws = torch.cat([latent(g, i, 2, 0.7) for i in range(3)])
    rows = result.rows.set_index("layers")
    for name, layers in noise_sets(g).items():
        maps = deviation_maps(g, ws, layers, num_draws=7, seed=2)
        assert rows.loc[name, "value"] == pytest.approx(127.5 * maps.mean(), rel=1e-12)
        levels = 127.5 * maps.mean(axis=(1, 2, 3))
        np.testing.assert_allclose(result.samples[name], levels, rtol=1e-12)
    assert result.value == rows.loc["all", "value"]
    assert rows.loc["none", "value"] < 127.5 * ROUNDING
    assert result.ci_low < result.value < result.ci_high
    assert rows["unit"].unique().tolist() == ["grey levels"]


def test_the_batch_size_changes_nothing(digits):
    frames = [stochastic_variation(digits, 1, 10, batch=batch).rows for batch in (1, 6, 64, None)]
    for frame in frames[1:]:
        np.testing.assert_array_equal(frame["value"], frames[0]["value"])


def test_finished_latents_are_not_rendered_again(g):
    finished, seen = {}, []
    first = stochastic_variation(g, 2, 5, finished=finished)
    g2 = with_strengths(make_generator(), [0] * 5)  # would give zeros
    again = stochastic_variation(g2, 2, 5, finished=finished, progress=lambda *n: seen.append(n))
    assert again.value == first.value
    assert seen == []
    stochastic_variation(g, 4, 5, finished=finished, progress=lambda *n: seen.append(n))
    assert seen == [(3, 4), (4, 4)]


def test_more_draws_begin_with_the_same_ones(g):
    ws = latent(g, 0)
    few = realisations(g, ws, [0, 1, 2, 3, 4], range(2))
    many = realisations(g, ws, [0, 1, 2, 3, 4], range(40))
    torch.testing.assert_close(many[:2], few, rtol=0, atol=ROUNDING)


def test_labels_are_drawn_for_a_conditional_generator():
    assert stochastic_variation(make_generator(c_dim=3), 2, 4).value > 0


# Coarse and fine.


def test_published_split_for_large_images():
    large = make_stylegan1(resolution=128)
    sets = noise_sets(large)
    assert sets["coarse"] == list(range(8))  # 4x4 to 32x32, two layers each, as published
    assert sets["fine"] == list(range(8, 12))
    assert sets["all"] == list(range(12))
    assert sets["none"] == []


@pytest.mark.parametrize(
    ("resolution", "fine_from", "coarse"),
    [(8, None, 1), (16, None, 3), (32, None, 3), (64, None, 5), (32, 8, 1), (32, 32, 5)],
)
def test_small_images_are_split_in_the_middle_or_where_asked(resolution, fine_from, coarse):
    g = make_generator(resolution=resolution)
    sets = noise_sets(g, fine_from)
    assert len(sets["coarse"]) == coarse
    assert sets["coarse"] + sets["fine"] == sets["all"]


def test_rows_say_how_the_layers_were_split(g):
    result = stochastic_variation(g, 2, 4, fine_from=8)
    rows = result.rows.set_index("layers")
    assert rows["resolutions"].to_dict() == {
        "all": "4-16", "coarse": "4", "fine": "8-16", "none": "none",
    }  # fmt: skip
    assert rows["noise_layers"].to_dict() == {"all": 5, "coarse": 1, "fine": 4, "none": 0}
    assert result.settings["split"] == "coarse 4, fine 8-16"


def test_a_generator_with_noise_and_without_w():
    g = make_fastgan(c_dim=2)
    rows = stochastic_variation(g, 1, 8).rows.set_index("layers")["value"]
    assert rows["all"] > rows["fine"] > 0
    assert rows["none"] == 0
    maps = deviation_maps(g, latent(g, 0), num_draws=8)
    assert maps.mean() * 127.5 == pytest.approx(rows["all"])
    with pytest.raises(LatentError, match="a FastGAN has no W"):
        stochastic_variation(g, 1, 8, truncation_psi=0.5)


# Bad input.


@pytest.mark.parametrize(
    "make", [make_progan, make_stylegan3, lambda: make_stylegan1(use_noise=False)]
)
def test_generators_without_noise_say_so(make):
    with pytest.raises(LatentError, match="no noise layers"):
        stochastic_variation(make(), 2, 4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_latents": 0}, "num_latents"),
        ({"num_draws": 1}, "num_draws"),
        ({"num_draws": 0}, "num_draws"),
        ({"batch": 0}, "batch"),
        ({"seed": -1}, "seed"),
        ({"fine_from": 4}, "8, 16"),
        ({"fine_from": 32}, "8, 16"),
    ],
)
def test_settings_out_of_range_are_refused(g, settings, words):
    with pytest.raises(SettingsError, match=words):
        stochastic_variation(g, **{"num_latents": 2, "num_draws": 4, **settings})


def test_layers_and_latents_that_do_not_fit_are_refused(g):
    with pytest.raises(SettingsError, match="0 to 4"):
        deviation_maps(g, latent(g, 0), [5], num_draws=4)
    with pytest.raises(LatentError, match="ws"):
        deviation_maps(g, torch.zeros(2, 3), num_draws=4)
