"""Perceptual path length against published code's outputs, closed forms and plain numpy."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import latentlab
from latentlab import LatentError, NumericalError, SettingsError
from latentlab.latents import draw_z
from latentlab.numerics import Stream
from metrics import MetricResult, percentile_filter, perceptual_path_length
from metrics.differences import compare
from metrics.path_length import (
    cautions,
    difference_of,
    face_crop,
    filtered_mean,
    kept,
    pair_distances,
)
from metrics.path_protocols import PROTOCOLS, PathProtocol, paths
from metrics.statistics import difference
from tests.conftest import (
    make_fastgan,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan3,
    make_stylegan_xl,
)
from tests.metrics.doubles import (
    Counting,
    LinearGenerator,
    PlainGenerator,
    numpy_slerp,
    squared,
    stand_in,
)

PUBLISHED = 1e-3  # relative, means of float32 finite differences; measured 2e-4
# Relative, the same of 200 pairs: single distances are off by 0.2 % in the median, 2.5 % at most.
PUBLISHED_FEW = 2e-3
PERCENTILE = 1e-2  # relative, one such distance
# Relative, float64: rounding of 1e-16 over a step of 1e-4; the formulas of slerp differ as well.
FLOAT64 = 1e-9

PAIRS = 200  # of the reference's 2000 in the quick test


# The published code's distances.


@pytest.fixture(scope="module")
def official(shared):
    g = latentlab.load(shared / "sg1_32.pkl").generator
    inputs, ref = (
        np.load(shared / f"{name}.npz") for name in ("ppl_inputs", "ppl_sg1_32_crop_ref")
    )
    return g, torch.from_numpy(inputs["lat_t01"]), torch.from_numpy(inputs["lerp_t_full"]), ref


def measured(official, space, sampling, pairs):
    g, z, t, _ = official
    places = t if sampling == "full" else torch.zeros_like(t)
    return torch.cat([
        pair_distances(g, stand_in, z[2 * i : 2 * i + 80 : 2], z[2 * i + 1 : 2 * i + 80 : 2],
                       places[i : i + 40], space, crop=True)
        for i in range(0, pairs, 40)
    ]).double().numpy()  # fmt: skip


@pytest.mark.parametrize("sampling", ["full", "end"])
@pytest.mark.parametrize("space", ["z", "w"])
def test_n10_distances_are_those_of_the_published_code(official, space, sampling):
    found = measured(official, space, sampling, PAIRS)
    expected = official[3][f"dist_{space}_{sampling}"][:PAIRS].astype(np.float64)
    assert found.mean() == pytest.approx(expected.mean(), rel=PUBLISHED_FEW)
    assert filtered_mean(found) == pytest.approx(filtered_mean(expected), rel=PUBLISHED_FEW)
    assert np.corrcoef(found, expected)[0, 1] > 0.9999  # the right pairs at the right places


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["full", "end"])
@pytest.mark.parametrize("space", ["z", "w"])
def test_values_are_those_of_the_published_code(official, space, sampling):
    found, ref = measured(official, space, sampling, 2000), official[3]
    distances, low, high, value = (
        ref[f"{name}_{space}_{sampling}"].astype(np.float64) for name in ("dist", "lo", "hi", "ppl")
    )
    assert found.mean() == pytest.approx(distances.mean(), rel=PUBLISHED)
    assert filtered_mean(found) == pytest.approx(value, rel=PUBLISHED)
    assert found[kept(found)].min() == pytest.approx(low, rel=PERCENTILE)
    assert found[kept(found)].max() == pytest.approx(high, rel=PERCENTILE)


@pytest.mark.parametrize("sampling", ["full", "end"])
@pytest.mark.parametrize("space", ["z", "w"])
def test_the_filtered_mean_of_the_published_distances_is_the_published_value(data, space, sampling):
    ref = np.load(data / "ppl_sg1_32_crop_ref.npz")
    distances = ref[f"dist_{space}_{sampling}"]
    value = float(ref[f"ppl_{space}_{sampling}"])
    assert filtered_mean(distances) == pytest.approx(value, rel=1e-6)
    inside = distances[kept(distances)]
    assert inside.min() == ref[f"lo_{space}_{sampling}"]
    assert inside.max() == ref[f"hi_{space}_{sampling}"]


# The whole path in plain float64 numpy.


def numpy_distances(g, z0, z1, t, space, epsilon, crop, c=None, noise=None):
    """Path lengths pair by pair, with the networks alone taken from the library."""
    found = []
    for i in range(len(z0)):
        label = None if c is None else c[i : i + 1]
        maps = {} if noise is None else {"noise": [level[i : i + 1] for level in noise]}
        ends = []
        for place in (t[i], t[i] + epsilon):
            if space == "z":
                z = numpy_slerp(z0[i].numpy(), z1[i].numpy(), place)
                image = g(torch.from_numpy(z)[None], label, **maps)
            else:
                w0, w1 = (g.mapping(z[i : i + 1], label).numpy() for z in (z0, z1))
                w = w0 * (1 - place) + w1 * place
                image = g.synthesis(torch.from_numpy(w), **maps)
            pixels = (image[0].numpy() + 1) * 127.5
            size = pixels.shape[1]
            if crop:
                pixels = pixels[:, size * 3 // 8 : size * 7 // 8, size // 4 : size * 3 // 4]
            ends.append(pixels)
        found.append(((ends[0] - ends[1]) ** 2).sum() / 1000 / epsilon**2)
    return np.array(found)


def numpy_filtered_mean(distances):
    ordered = np.sort(distances)
    last = len(ordered) - 1
    low, high = ordered[int(np.floor(last * 0.01))], ordered[int(np.ceil(last * 0.99))]
    return distances[(distances >= low) & (distances <= high)].mean()


KINDS = {
    "stylegan2": make_generator,
    "stylegan2 resnet": lambda: make_generator(architecture="resnet"),
    "conditional": lambda: make_generator(c_dim=3),
    "grey": lambda: make_generator(channels=1),
    "32 pixels": lambda: make_generator(resolution=32),
    "stylegan1": make_stylegan1,
    "stylegan3": make_stylegan3,
    "progan": make_progan,
    "fastgan": lambda: make_fastgan(lite=True),
    "stylegan-xl": make_stylegan_xl,
}
WITHOUT_W = {"progan", "fastgan"}


@pytest.mark.parametrize("crop", [False, True], ids=["whole", "crop"])
@pytest.mark.parametrize("space", ["z", "w"])
@pytest.mark.parametrize("kind", KINDS)
def test_distances_equal_plain_numpy(kind, space, crop):
    if kind in WITHOUT_W and space == "w":
        pytest.skip("there is no W")
    g = KINDS[kind]().double()
    rng = np.random.default_rng(0)
    z0, z1 = (torch.from_numpy(rng.standard_normal([3, g.z_dim])) for _ in range(2))
    t = [0.0, 0.3, 0.9]
    c = torch.eye(3, dtype=torch.float64) if g.c_dim else None
    found = pair_distances(g, stand_in, z0, z1, torch.tensor(t), space, crop=crop, c=c)
    # torch.tensor rounds the places to float32.
    places = torch.tensor(t).double().numpy()
    expected = numpy_distances(g, z0, z1, places, space, 1e-4, crop, c)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=FLOAT64)


@pytest.mark.parametrize(
    ("space", "sampling", "crop"), [("z", "full", True), ("w", "full", False), ("w", "end", True)]
)
@pytest.mark.parametrize("kind", ["stylegan2", "conditional", "stylegan1"])
def test_the_value_equals_plain_numpy(kind, space, sampling, crop):
    g = KINDS[kind]().double()
    result = perceptual_path_length(g, stand_in, space, sampling, 60, crop, seed=5)
    path = paths(g, PathProtocol(space, sampling, crop), range(60), seed=5)
    z0, z1 = (z.double() for z in path.ends)
    expected = numpy_distances(g, z0, z1, path.t.numpy(), space, 1e-4, crop, path.c, path.noise)
    np.testing.assert_allclose(result.samples["path_length"], expected, rtol=FLOAT64)
    assert result.value == pytest.approx(numpy_filtered_mean(expected), rel=FLOAT64)


def test_images_above_256_pixels_are_box_averaged_after_the_crop():
    g = PlainGenerator()
    g.resolution = 1024
    sizes = []

    def distance(first, second):
        sizes.append(first.shape[-1])
        return squared(first, second)

    pixels = torch.randn([1, 1024, 1024], generator=torch.Generator().manual_seed(0)).double()
    g.synthesis = lambda ws, **_: ws[:, :1, :1, None] * pixels
    z0, z1 = draw_z([0], 4, seed=0), draw_z([1], 4, seed=0)
    w0, w1 = (g.mapping(z)[0, 0, 0] for z in (z0, z1))
    for crop, part in ((False, pixels), (True, pixels[:, 384:896, 256:768])):
        side = part.shape[-1] // 256
        means = part.reshape(256, side, 256, side).mean(dim=(1, 3))
        found = pair_distances(g, distance, z0, z1, 0.0, crop=crop)
        expected = (w1 - w0).square() * means.square().sum()
        assert found.item() == pytest.approx(expected.item(), rel=1e-9)
    assert sizes == [256, 256]


def test_the_crop_is_the_middle_half_an_eighth_low():
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    part = face_crop(torch.stack([rows, columns])[None])
    assert part.shape == (1, 2, 8, 8)
    assert (part[0, 0, 0, 0], part[0, 0, -1, -1]) == (6, 13)
    assert (part[0, 1, 0, 0], part[0, 1, -1, -1]) == (4, 11)
    with pytest.raises(SettingsError, match="8 pixels or more, not 4"):
        face_crop(torch.zeros(1, 3, 4, 4))


# Linear generators, whose path length is known.


@pytest.mark.parametrize("make", [PlainGenerator, LinearGenerator])
@pytest.mark.parametrize("place", [0.0, 0.7])
def test_n06_distances_of_a_linear_generator_are_quadratic_forms(make, place):
    g = make()
    rng = np.random.default_rng(1)
    z0, z1 = (torch.from_numpy(rng.standard_normal([5, 4])) for _ in range(2))
    found = pair_distances(g, squared, z0, z1, place)
    a, m = g.a.detach().numpy(), g.m.detach().numpy()
    steps = (z1 - z0).numpy() @ m.T
    expected = np.einsum("ni,ij,nj->n", steps, a.T @ a, steps)
    np.testing.assert_allclose(found.numpy(), expected, rtol=FLOAT64)


def known(distribution):
    """The mean of a distribution between its first and its last percent."""
    low, high = distribution.ppf(0.01), distribution.ppf(0.99)
    return distribution.expect(lambda x: x, lb=low, ub=high) / 0.98


def test_n06_the_mean_in_w_is_that_of_theory():
    g, n = PlainGenerator(), 4000
    gram = (g.a.T @ g.a @ g.m @ g.m.T).numpy()
    result = perceptual_path_length(g, squared, num_samples=n)
    lengths = result.samples["path_length"]
    assert abs(lengths.mean() - 2 * np.trace(gram)) < 3 * lengths.std() / np.sqrt(n)


def test_the_filtered_mean_in_w_is_that_of_theory():
    g = PlainGenerator()
    # Orthonormal images of an isotropic W: w1 - w0 has a squared norm of 2 chi-squared (3).
    g.a = torch.linalg.qr(g.a).Q
    g.m = torch.eye(3, 4, dtype=torch.float64)
    result = perceptual_path_length(g, squared, num_samples=4000)
    expected = known(stats.chi2(3, scale=2))
    assert result.ci_low < expected < result.ci_high
    assert result.value == pytest.approx(expected, abs=3 * result.standard_error)


@pytest.mark.parametrize("sampling", ["full", "end"])
def test_the_length_in_z_is_the_squared_angle(sampling):
    g = LinearGenerator(z_dim=3)
    with torch.no_grad():
        g.a.copy_(torch.linalg.qr(g.a).Q * 2)
        g.m.copy_(torch.eye(3))
    result = perceptual_path_length(g, squared, "z", sampling, num_samples=2000)
    path = paths(g, PathProtocol("z", sampling), range(2000), seed=0)
    z0, z1 = (z.numpy() for z in path.ends)
    norms = np.linalg.norm(z0, axis=1) * np.linalg.norm(z1, axis=1)
    angle = np.arccos((z0 * z1).sum(axis=1) / norms)
    chord = 2 * np.sin(1e-4 * angle / 2) / 1e-4
    np.testing.assert_allclose(result.samples["path_length"], 4 * chord**2, rtol=FLOAT64)
    # Between random directions of three dimensions the angle has the density sin(x) / 2.
    assert result.samples["path_length"].mean() == pytest.approx(
        4 * (np.pi**2 - 4) / 2, rel=3 * result.standard_error / result.value
    )


# The same numbers whatever the batch, the interruption, the memory.


def lengths(g, **changes):
    settings = {"space": "w", "sampling": "full", "num_samples": 30, "seed": 2, **changes}
    return perceptual_path_length(g, settings.pop("distance", stand_in), **settings)


@pytest.mark.parametrize("space", ["z", "w"])
@pytest.mark.parametrize("kind", KINDS)
def test_n01_batches_change_no_bit(kind, space):
    if kind in WITHOUT_W and space == "w":
        pytest.skip("there is no W")
    g = KINDS[kind]()
    first, *others = [lengths(g, space=space, batch=batch) for batch in (1, 3, 7, 64)]
    for other in others:
        assert other.value == first.value
        assert other.samples.equals(first.samples)
        assert (other.ci_low, other.ci_high) == (first.ci_low, first.ci_high)


def test_more_samples_begin_with_the_same_samples():
    g = make_generator().double()
    few, many = (lengths(g, num_samples=n).samples["path_length"] for n in (9, 30))
    np.testing.assert_allclose(few, many[:9], rtol=FLOAT64)


def test_seeds_spaces_and_samplings_differ():
    g = make_generator()
    changes = [{}, {"seed": 3}, {"space": "z"}, {"sampling": "end"}, {"noise": "const"}]
    assert len({lengths(g, **change).value for change in changes}) == len(changes)


def test_a_finished_measurement_is_not_computed_again():
    g, finished, distance = make_generator(resolution=64), {}, Counting()  # 16 at once
    first = lengths(g, distance=distance, finished=finished)
    second = lengths(g, distance=distance, finished=finished)
    assert distance.calls == 2
    assert list(finished) == [range(16), range(16, 30)]
    assert second.samples.equals(first.samples)
    assert second.seconds == first.seconds


@pytest.mark.parametrize("relative_width", [None, 1e-9])
def test_j11_an_interrupted_measurement_goes_on_where_it_stopped(relative_width):
    g, finished = make_generator(resolution=64), {}  # 16 at once
    changes = {"num_samples": 60, "relative_width": relative_width}
    with pytest.raises(KeyboardInterrupt):
        lengths(g, distance=Counting(interrupted_at=3), finished=finished, **changes)
    assert list(finished) == [range(16), range(16, 32)]
    distance = Counting()
    resumed = lengths(g, distance=distance, finished=finished, **changes)
    assert distance.calls == 2
    assert resumed.samples.equals(lengths(g, distance=Counting(), **changes).samples)


def test_j10_scarce_memory_halves_the_batch_and_changes_nothing():
    g, sizes = make_generator().double(), []

    def distance(first, second):
        sizes.append(len(first))
        if len(first) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 1 TiB")
        return stand_in(first, second)

    found, expected = lengths(g, distance=distance), lengths(g)
    assert found.value == pytest.approx(expected.value, rel=FLOAT64)
    np.testing.assert_allclose(
        found.samples["path_length"], expected.samples["path_length"], rtol=FLOAT64
    )
    assert sizes == [32, 16, 8, 8, 16, 8, 8]


def test_no_memory_for_a_group_is_an_error():
    def distance(first, second):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 1 TiB")

    with pytest.raises(NumericalError, match=r"no memory for 4 .*\(CUDA out of memory\.\).*device"):
        lengths(make_generator(), distance=distance)


# Stopping early.


def test_it_stops_once_the_interval_is_as_narrow_as_asked():
    g = PlainGenerator()
    results = [
        perceptual_path_length(g, squared, num_samples=1500, relative_width=0.15, batch=batch)
        for batch in (6, 64)
    ]
    whole = perceptual_path_length(g, squared, num_samples=1500)
    for result in results:
        n = result.settings["n"]
        assert 500 <= n < 1500
        assert result.settings["stopped_early"] is True
        assert result.ci_high - result.ci_low < 0.15 * result.value
        np.testing.assert_allclose(
            result.samples["path_length"], whole.samples["path_length"][:n], rtol=FLOAT64
        )
    assert results[0].settings["n"] == results[1].settings["n"]
    assert results[0].value == results[1].value
    assert whole.settings["stopped_early"] is False


def test_an_interval_never_narrow_enough_uses_every_sample():
    g = PlainGenerator()
    result = perceptual_path_length(g, squared, num_samples=700, relative_width=1e-6)
    assert result.settings["n"] == 700
    assert result.settings["stopped_early"] is False
    assert result.value == perceptual_path_length(g, squared, num_samples=700).value


# Noise.


@pytest.mark.parametrize("make", [make_generator, make_stylegan1])
@pytest.mark.parametrize("space", ["z", "w"])
def test_both_ends_of_a_path_share_their_noise(make, space):
    g = make().double()
    for name, strength in g.named_parameters():
        if "noise" in name:
            strength.fill_(1.0)
    const, random = (
        lengths(g, space=space, noise=noise, num_samples=12).value for noise in ("const", "random")
    )
    # Other noise at the other end would count with 1 / epsilon squared, 1e8.
    assert const / 10 < random < const * 10
    assert random != const


def test_every_path_has_noise_of_its_own():
    g = make_generator()
    noise = paths(g, PathProtocol(), [3, 4], seed=0).noise
    assert [len(level) for level in noise] == [2] * len(g.synthesis.noise_shapes)
    assert all(not torch.equal(level[0], level[1]) for level in noise)
    assert paths(g, PathProtocol(noise="const"), [3, 4], seed=0).noise is None


# What is drawn, and what is said.


def test_paths_are_keyed_by_their_number():
    g = make_generator(c_dim=3)
    path = paths(g, PathProtocol("w", "full"), [7, 2], seed=9)
    z = [draw_z([14, 4], g.z_dim, 9, Stream.PATH_LENGTH), draw_z([15, 5], g.z_dim, 9, 110)]
    assert all(torch.equal(a, b) for a, b in zip(path.ends, z, strict=True))
    places = [np.random.default_rng([9, 111, i]).random() for i in (7, 2)]
    assert path.t.tolist() == places
    assert path.c.sum(dim=1).tolist() == [1, 1]
    assert paths(g, PathProtocol("w", "end"), [7, 2], seed=9).t.tolist() == [0, 0]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_n10_a_protocol_has_the_published_name(name):
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    result = perceptual_path_length(
        PlainGenerator(), squared, protocol.space, protocol.sampling, 8, protocol.crop
    )
    frame = result.frame()
    assert frame.loc[0, ["metric", "protocol", "n", "seed"]].tolist() == ["path_length", name, 8, 0]


def test_a_result_says_what_it_was_made_from():
    distance = Counting()
    result = lengths(make_generator(), distance=distance, num_samples=200)
    assert result.settings["distance"] == "counting"
    assert result.settings["noise"] == "random"
    assert result.settings["epsilon"] == 1e-4
    within = result.samples.query("kept")["path_length"]
    assert len(within) == 198
    assert result.value == pytest.approx(within.mean(), rel=1e-12)
    assert result.ci_low < result.value < result.ci_high
    assert result.seconds > 0


def test_progress_ends_at_all_samples():
    seen = []
    g = make_generator(resolution=64)  # 16 at once
    for relative_width in (None, 1e-9):
        lengths(g, relative_width=relative_width, progress=lambda *counts: seen.append(counts))
    assert seen == [(16, 30), (30, 30)] * 2


# The filter.


@pytest.mark.parametrize("count", [1, 2, 50, 99, 100, 101, 1000])
def test_n14_the_filter_keeps_values_that_occur(count):
    distances = np.random.default_rng(count).lognormal(size=count)
    assert filtered_mean(distances) == pytest.approx(numpy_filtered_mean(distances), rel=1e-12)
    assert filtered_mean(torch.from_numpy(distances)) == filtered_mean(distances)


def test_distances_of_nothing_or_not_finite_are_refused():
    with pytest.raises(NumericalError, match="there are no distances"):
        filtered_mean([])
    with pytest.raises(NumericalError, match="distance 1 is nan"):
        filtered_mean([1.0, float("nan"), float("inf")])
    with pytest.raises(NumericalError, match="distance 0 is inf"):
        lengths(make_generator(), distance=lambda a, b: stand_in(a, b) * float("inf"))


# What it is worth.


def test_the_interval_is_that_of_the_mean_without_exactly_one_percent():
    result = lengths(make_generator(), num_samples=200)
    found = percentile_filter.spread(result.samples["path_length"], 2)
    assert (result.standard_error, result.ci_low, result.ci_high) == (
        found.standard_error, found.ci_low, found.ci_high
    )  # fmt: skip


@pytest.mark.parametrize(("n", "bias", "words"), [
    (200, 0.0, ["Few paths"]), (1000, 0.0, []), (1000, 0.009, []),
    (200, 0.0386, ["Few paths", "leaves out 1 of 200 paths at either end, where one percent is 2: "
                   "the value is about 3.9 % too high, which its interval allows for."]),
    (150, -0.02, ["Few paths", "where one percent is 1.5: the value is about 2.0 % too low"]),
    (2000, 0.011, ["leaves out 19 of 2,000 paths"]), (50, 0.0, ["as none is left out"]),
])  # fmt: skip
def test_what_the_filter_leaves_too_high_is_said_where_it_matters(n, bias, words):
    found = cautions({"n": n}, bias)
    assert len(found) == len(words)
    assert all(part in caution.text for part, caution in zip(words, found, strict=True))


def test_a_measurement_tells_its_own_bias():
    g = make_generator()
    numbers = iter(np.random.default_rng(1).lognormal(0, 1.5, 400) * 1e-8)

    def heavy(first, second):
        return torch.tensor([next(numbers) for _ in range(len(first))], dtype=torch.float64)

    result = lengths(g, distance=heavy, num_samples=200)
    share = percentile_filter.bias(result.samples["path_length"])
    assert share > 0.01
    assert any(f"about {100 * share:.1f} % too high" in note for note in result.notes)


# Differences of two models.


def of_lengths(values, seed=0, worth=True):
    found = percentile_filter.spread(values, seed).columns() if worth else {}
    row = {"quantity": "path length", "value": filtered_mean(values), "better_when": "lower",
           **found}  # fmt: skip
    table = {"sample": np.arange(len(values)), "path_length": values}
    return MetricResult("path_length", pd.DataFrame([row]), {"n": len(values), "seed": seed},
                        pd.DataFrame(table))  # fmt: skip


def test_paths_of_one_seed_and_number_belong_together():
    values = np.random.default_rng(0).lognormal(size=400)
    shifted = values * 1.02  # by less than what either is uncertain by
    rows = compare({"a": [of_lengths(values)], "b": [of_lengths(shifted)]})
    assert rows["better"].tolist() == ["a"]
    assert rows["difference"][0] == pytest.approx(0.02 * filtered_mean(values))
    apart = compare({"a": [of_lengths(values)], "b": [of_lengths(shifted, seed=1)]})
    assert apart["better"].tolist() == ["neither"]
    assert apart["standard_error"][0] > 10 * rows["standard_error"][0]


def test_a_difference_turned_round_is_the_same_difference():
    rng = np.random.default_rng(0)
    a, b = of_lengths(rng.lognormal(size=300)), of_lengths(rng.lognormal(size=900))
    found, turned = difference_of(a, b), difference_of(b, a)
    assert (found.ci_low, found.ci_high) == pytest.approx((-turned.ci_high, -turned.ci_low))
    assert found.ci_low <= b.value - a.value <= found.ci_high


def test_a_difference_without_paths_is_that_of_both_intervals():
    a, b = of_lengths(np.arange(1.0, 300.0)), of_lengths(np.arange(2.0, 301.0))
    bare = replace(a, samples=pd.DataFrame())
    assert difference_of(bare, b) is None
    assert difference_of(replace(a, samples=a.samples.astype(str)), b) is None
    (row,) = compare({"a": [bare], "b": [b]}).to_dict("records")
    expected = difference((b.value, b.ci_low, b.ci_high), (a.value, a.ci_low, a.ci_high))
    assert (row["difference"], row["ci_low"], row["ci_high"]) == expected
    assert np.isnan(difference_of(of_lengths(np.ones(1)), b).ci_low)


@pytest.mark.parametrize(("first", "second", "correlation"), [
    (200, 200, 0.9), pytest.param(200, 200, 0.0, marks=pytest.mark.slow),
    pytest.param(200, 1000, 0.9, marks=pytest.mark.slow),
])  # fmt: skip
def test_intervals_of_differences_hold_the_truth(first, second, correlation):
    rng, times, held = np.random.default_rng(3), 150, 0
    for seed in range(times):
        z, own = rng.normal(size=[2, max(first, second)])
        other = correlation * z + np.sqrt(1 - correlation**2) * own
        a, b = np.exp(z[:first]), np.exp(other[:second])
        found = difference_of(*(of_lengths(each, seed, worth=False) for each in (a, b)))
        held += found.ci_low <= 0 <= found.ci_high
    # 95 % of 150 have a standard deviation of 1.8 %. What follows from both intervals holds 99 %.
    assert 0.9 < held / times <= 0.985


# Bad settings.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "x"}, "`space` must be one of z, w, but got 'x'"),
        ({"sampling": "ends"}, "`sampling` must be one of full, end"),
        ({"noise": "none"}, "`noise` must be one of random, const"),
        ({"epsilon": 0.0}, "`epsilon` must be above 0 and below 1"),
        ({"epsilon": float("nan")}, "`epsilon`"),
        ({"num_samples": 0}, "`num_samples` must be a whole number >= 1, but got 0"),
        ({"seed": -1}, "`seed` must be a whole number >= 0, but got -1"),
        ({"batch": 0}, "`batch` must be a whole number >= 1, but got 0"),
        ({"relative_width": 0.0}, "`relative_width` must be a positive number, but got 0.0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        lengths(PlainGenerator(), **changes)


def test_a_generator_without_w_has_a_length_in_z_alone():
    with pytest.raises(LatentError, match="no W; measure the path length in Z"):
        lengths(make_progan())
    assert lengths(make_progan(), space="z").value > 0


def test_latents_by_hand_of_other_shapes_are_refused():
    g = make_generator()
    z = torch.zeros(2, g.z_dim)
    with pytest.raises(LatentError, match=r"`z1` must have shape \[2, 6\], but got \[1, 6\]"):
        pair_distances(g, stand_in, z, z[:1], 0.0)
    with pytest.raises(LatentError, match=r"`z0` must have shape"):
        pair_distances(g, stand_in, z[:, :3], z, 0.0)


@pytest.mark.parametrize(("n", "words"), [
    (60, "the mean of 60 and its interval, as none is left out; use 1,000 or more."),
    (400, "the mean of 400 and its interval; use 1,000 or more."),
])  # fmt: skip
def test_few_paths_are_a_doubt_in_plain_words(n, words):
    (caution,) = cautions({"n": n})
    assert caution.text == f"Few paths: a handful of long ones decides {words}"
