import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score

from latentlab import (
    ImageError,
    LatentError,
    NumericalError,
    SettingsError,
    load,
    perceptual_distance,
    project,
)
from metrics import attribution
from metrics.attribution_difference import auc_difference
from metrics.roc import area_uncertainty
from metrics.source_attribution import (
    AttributionSettings,
    attribution_of,
    generated_image,
    project_groups,
)
from metrics.statistics import mean_uncertainty
from tests.conftest import make_generator, make_progan


def mse(a, b):
    return (a - b).square().mean(dim=[1, 2, 3])


@pytest.fixture(scope="module")
def g():
    return make_generator()


@pytest.fixture(scope="module")
def noise_images(g):
    rng = torch.Generator().manual_seed(0)
    return torch.rand([5, g.channels, 16, 16], generator=rng) * 2 - 1


# From distances.


def test_the_area_of_two_gaussians_is_the_closed_form():
    rng, shift = np.random.default_rng(0), 1.2
    result = attribution_of(rng.normal(5, 1, 4000), rng.normal(5 + shift, 1, 4000))
    true = norm.cdf(shift / np.sqrt(2))
    assert result.value == pytest.approx(true, abs=0.015)
    assert result.ci_low < true < result.ci_high
    # The best threshold of two such Gaussians is halfway, where both rates are closed forms too.
    rows = result.rows.set_index("quantity")["value"]
    assert rows["threshold"] == pytest.approx(5 + shift / 2, abs=0.3)
    assert rows["true_positive_rate"] - rows["false_positive_rate"] == pytest.approx(
        2 * norm.cdf(shift / 2) - 1, abs=0.03
    )


def test_equal_groups_cannot_be_told_apart():
    values = np.random.default_rng(0).normal(size=300)
    assert attribution_of(values, values).value == 0.5


def test_separated_groups_are_told_apart_perfectly():
    rows = attribution_of([1, 2, 3], [5, 6, 7, 8]).rows.set_index("quantity")
    assert rows.loc["auc", "value"] == 1
    assert 0.4 < rows.loc["auc", "ci_low"] < 1  # seven images prove little
    assert rows.loc["threshold", "value"] == 4
    assert rows.loc["true_positive_rate", "value"] == 1
    assert rows.loc["false_positive_rate", "value"] == 0
    assert rows.loc["generated_mean", "value"] == 2
    assert rows.loc["real_median", "value"] == 6.5


def test_each_group_is_resampled_on_its_own():
    rng = np.random.default_rng(2)
    generated, real = rng.normal(size=40), rng.normal(1, size=160)
    q = attribution_of(generated, real).value
    # Hanley and McNeil 1982, for groups of 40 and 160.
    variance = q * (1 - q) + 39 * (q / (2 - q) - q * q) + 159 * (2 * q * q / (1 + q) - q * q)
    error = np.sqrt(variance / (40 * 160))
    assert attribution_of(generated, real).standard_error == pytest.approx(error, rel=0.2)


def test_the_seed_decides_the_resampling():
    rng = np.random.default_rng(2)
    groups = rng.normal(size=20), rng.normal(1, size=20)
    rows = [attribution_of(*groups, seed=seed).rows.set_index("quantity") for seed in (0, 0, 1)]
    errors = [each.loc["real_median", "standard_error"] for each in rows]
    assert errors[0] == errors[1] != errors[2]


def test_distances_may_be_tensors_lists_or_columns():
    assert attribution_of(torch.tensor([1.0, 2.0]), [3.0, 4.0]).value == 1


@pytest.mark.parametrize(
    ("generated", "real", "words"),
    [([], [1], "no generated"), ([1], [], "no real"), ([1], [2, np.nan], "real distance 1")],
)
def test_distances_that_cannot_be_compared_are_refused(generated, real, words):
    with pytest.raises(NumericalError, match=words):
        attribution_of(generated, real)


@pytest.mark.parametrize("tied", [False, True])
def test_the_area_is_scikit_learns_and_mann_and_whitneys(tied):
    rng = np.random.default_rng(3)
    groups = rng.normal(size=30), rng.normal(1, 2, size=70)
    if tied:
        groups = np.round(groups[0]), np.round(groups[1])
    value = attribution_of(*groups).value
    labels = np.repeat([0, 1], [30, 70])
    assert value == pytest.approx(roc_auc_score(labels, np.concatenate(groups)), abs=1e-12)
    assert value == pytest.approx(mannwhitneyu(*groups[::-1]).statistic / 2100, abs=1e-12)


def test_means_have_the_interval_of_few_values_and_the_area_its_own():
    rng = np.random.default_rng(4)
    groups = rng.lognormal(0, 0.5, 10), rng.lognormal(1, 0.5, 12)
    rows = attribution_of(*groups).rows.set_index("quantity")
    expected = {"generated_mean": mean_uncertainty(groups[0], 0.0),
                "real_mean": mean_uncertainty(groups[1], 0.0),
                "auc": area_uncertainty(*groups)}  # fmt: skip
    for quantity, each in expected.items():
        assert rows.loc[quantity, [*each.columns()]].to_dict() == each.columns()


# By projecting.


class Constant:
    """A planted distance: how far the brightness of two pictures is apart, squared."""

    name = "brightness"

    def __call__(self, a, b):
        return (a.mean(dim=[1, 2, 3]) - b.mean(dim=[1, 2, 3])).square()


def test_pictures_that_a_generator_can_make_are_told_from_those_that_it_cannot():
    """Its pictures differ in brightness within some range; others lie in it, or far beyond."""
    g = make_generator()
    own = torch.stack([generated_image(g, i) for i in range(40)]).mean(dim=[1, 2, 3])
    middle, reach = own.mean(), own.max() - own.min()
    within, beyond = (torch.full([2, g.channels, 16, 16], float(each))
                      for each in (middle, middle + 50 * reach))  # fmt: skip
    near, far = (attribution(g, images, Constant(), 2, steps=40) for images in (within, beyond))
    assert far.value == 1
    rows = far.rows.set_index("quantity")["value"]
    assert rows["generated_mean"] < 1e-3 * rows["real_mean"]
    assert near.rows.set_index("quantity").loc["real_mean", "value"] < 1e-3 * rows["real_mean"]
    value, found = auc_difference(near, far, same_real=False)
    assert value == pytest.approx(1 - near.value)
    assert found.ci_low <= value <= found.ci_high


def test_a_generators_own_images_project_closer_than_the_same_pixels_shuffled():
    g = load("builtin:digits-stylegan2").generator
    own = torch.stack([generated_image(g, 100 + i) for i in range(4)])
    order = torch.randperm(1024, generator=torch.Generator().manual_seed(0))
    shuffled = own.flatten(2)[:, :, order].reshape(own.shape)
    result = attribution(g, shuffled, perceptual_distance("builtin:digits"), 3, steps=15)
    assert result.value == 1
    rows = result.rows.set_index("quantity")["value"]
    assert rows["generated_mean"] < rows["threshold"] < rows["real_mean"]
    assert result.settings["distance"] == "builtin:digits"
    assert result.settings["num_generated"] == 3
    assert result.settings["num_real"] == 4
    assert result.settings["n"] == 7


def test_distances_are_those_of_project(g, noise_images):
    found = attribution(g, noise_images[:2], mse, 1, space="w+", steps=5, seed=3).samples
    images = torch.stack([generated_image(g, 0, 3), *noise_images[:2]])
    for i, image in enumerate(images):
        expected = project(g, image[None], mse, "w+", 5, 3)
        assert found["distance"][i] == float(expected.distance)
        assert found["start_distance"][i] == float(expected.start_distance)
    assert found["group"].tolist() == ["generated", "real", "real"]
    assert found["number"].tolist() == [0, 0, 1]


def test_generated_images_differ_and_follow_their_seed_and_truncation(g):
    assert torch.equal(generated_image(g, 1), generated_image(g, 1))
    assert not torch.equal(generated_image(g, 1), generated_image(g, 2))
    assert not torch.equal(generated_image(g, 1), generated_image(g, 1, seed=1))
    centres = [generated_image(g, i, truncation_psi=0.0) for i in (1, 2)]
    mean = g.synthesis(g.w_mean.expand(1, g.num_ws, -1), noise_mode="none")[0]
    assert not torch.equal(*centres)  # their noise differs
    quiet = make_generator()
    for layer in quiet.synthesis.noise_layers:
        layer.noise_strength.zero_()
    torch.testing.assert_close(generated_image(quiet, 1, truncation_psi=0.0), mean)


def test_neighbours_batches_and_earlier_runs_change_nothing(g, noise_images):
    finished, seen = {}, []
    first = attribution(
        g, noise_images[:2], mse, 2, steps=4, finished=finished,
        progress=lambda *counts: seen.append(counts),
    )  # fmt: skip
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(finished) == 4
    batched = attribution(g, list(noise_images[:2]), mse, 2, steps=4, batch=4)
    assert batched.samples.equals(first.samples)
    del finished[range(3, 4)]
    resumed = attribution(
        g, noise_images[:2], mse, 2, steps=4, finished=finished,
        progress=lambda *counts: seen.append(counts),
    )  # fmt: skip
    assert seen[4:] == [(4, 4)]
    assert resumed.samples.equals(first.samples)


def test_an_image_that_diverges_is_named_and_left_out(g, noise_images):
    def broken_for_bright(targets, images):
        return mse(targets, images) * torch.where(targets.amax(dim=[1, 2, 3]) > 50, torch.nan, 1)

    images = noise_images[:3].clone()
    images[1] = 99.0
    found = project_groups(g, images, broken_for_bright, 2, AttributionSettings(steps=3))
    assert found.samples["status"].tolist() == ["ok", "ok", "ok", "diverged", "ok"]
    result = found.result()
    assert result.settings["diverged"] == 1
    assert result.settings["num_real"] == 2
    with pytest.raises(NumericalError, match="no real"):
        attribution(g, images[1:2], broken_for_bright, 2, steps=3)


def test_targets_and_projections_are_kept_as_small_pictures(g, noise_images):
    found = project_groups(g, noise_images[:1], mse, 1, AttributionSettings(steps=3))
    assert found.targets.shape == found.projected.shape == (2, g.channels, 16, 16)
    assert found.targets.dtype == np.uint8
    expected = (noise_images[0] * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    np.testing.assert_array_equal(found.targets[1], expected)


def test_labels_are_drawn_for_a_conditional_generator(noise_images):
    g = make_generator(c_dim=3)
    assert len(attribution(g, noise_images[:1], mse, 1, steps=2).samples) == 2


# Bad input.


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.zeros(0, 3, 16, 16), "no real image"),
        (torch.zeros(2, 3, 8, 8), "image 0"),
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), "uint8"),
        ([torch.zeros(3, 16, 16), torch.full((3, 16, 16), torch.nan)], "image 1 holds NaN"),
    ],
)
def test_images_that_do_not_fit_are_refused_before_projecting(g, images, words):
    def never(targets, images):
        raise AssertionError

    with pytest.raises(ImageError, match=words):
        attribution(g, images, never, 1, steps=2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_generated": 0}, "num_generated"),
        ({"batch": 0}, "batch"),
        ({"seed": -1}, "seed"),
        ({"steps": 0}, "steps"),
        ({"space": "z"}, "space"),
        ({"truncation_psi": float("nan")}, "truncation_psi"),
    ],
)
def test_settings_out_of_range_are_refused(g, noise_images, settings, words):
    with pytest.raises(SettingsError, match=words):
        attribution(g, noise_images, mse, **{"num_generated": 1, "steps": 2, **settings})


def test_a_generator_without_w_says_so(noise_images):
    with pytest.raises(LatentError, match="no W"):
        attribution(make_progan(), noise_images, mse, 1, steps=2)
