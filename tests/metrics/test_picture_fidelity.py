"""FID, KID, precision and recall against closed forms, scipy, and the library's own front door."""

import io
import math
import random
import sys
import warnings
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torch_fidelity
from scipy import linalg
from torch.utils.data import Dataset

from latentlab import CheckpointError, NumericalError, SettingsError
from latentlab.datasets.digits import digits
from latentlab.datasets.pictures import open_dataset
from metrics import fidelity
from metrics.fidelity_networks import INCEPTION, NVIDIAS_VGG16, open_extractors
from metrics.fidelity_scores import fid, fid_standard_error, kid, precision_recall, subset_size
from metrics.picture_fidelity import _real_pictures, generated_pictures
from tests.conftest import DATA, make_generator, make_progan, make_stylegan3
from tests.metrics.doubles import PlainGenerator
from tests.support.pooled import NAME, Pooled

# Relative. The library's FID loses digits to the root of a product of two covariances, which
# scipy takes of the matrix: measured 3e-7. Its features are float32.
FRECHET = 1e-5
# Relative, the front door takes the mean of features in float32.
FRONT_DOOR = 1e-4
NOTHING = 1e-4  # absolute, FID of a set and itself: features have variances of about 0.1


class Pictures:
    """Real pictures given by hand [N,3,R,R] in 0..255."""

    c_dim, fingerprint = 0, "by hand"

    def __init__(self, pixels):
        self.pixels, self.channels, self.resolution = pixels, pixels.shape[1], pixels.shape[-1]

    def __len__(self):
        return len(self.pixels)

    def image(self, index):
        return self.pixels[index].float() / 127.5 - 1


def some_pictures(count=60, seed=0):
    rng = torch.Generator().manual_seed(seed)
    smooth = torch.randint(0, 256, [count, 3, 4, 4], generator=rng)
    return F.interpolate(smooth.float(), size=16).round().to(torch.uint8)


def pooled(pixels):
    """The stand-in's features in plain float64 numpy."""
    size = pixels.shape[-1] // 4
    blocks = pixels.numpy().astype(np.float64).reshape(len(pixels), 3, 4, size, 4, size)
    return (blocks.mean(axis=(3, 5)) / 255).reshape(len(pixels), -1)


def frechet(a, b):
    """FID by scipy's matrix root (Heusel et al. 2017, Eq. 6)."""
    gap = a.mean(axis=0) - b.mean(axis=0)
    sides = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(sides[0] @ sides[1]).real
    return gap @ gap + np.trace(sides[0] + sides[1] - 2 * root)


def measured(g=None, reals=None, count=80, **changes):
    g = make_generator() if g is None else g
    reals = Pictures(some_pictures()) if reals is None else reals
    return fidelity(g, reals, count, **{"extractor": NAME, **changes})


def values(result):
    return result.rows.set_index("measure")["value"].to_dict()


# Scores of given features.


def test_fid_of_two_normal_sets_is_the_closed_form():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal([2, 20_000, 4])
    b = b * [1, 2, 3, 0.5] + [0, 1, 0, 0]
    # Diagonal covariances: the squared gap of the means and of the deviations.
    expected = 1 + (0 + 1 + 4 + 0.25)
    assert fid(a, b)[0]["value"] == pytest.approx(expected, rel=0.02)
    assert fid(a, b)[0]["value"] == pytest.approx(frechet(a, b), rel=FRECHET)


def test_kid_is_the_unbiased_estimate_averaged_over_subsets():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal([2, 200, 6]).astype(np.float32)
    b = b + 1

    def kernel(x, y):
        return (x @ y.T / 6 + 1) ** 3

    # Binkowski et al. 2018, Eq. 4, over all pictures at once.
    n = len(a)
    within = sum(kernel(x, x).sum() - np.trace(kernel(x, x)) for x in (a, b)) / (n * (n - 1))
    expected = within - 2 * kernel(a, b).mean()
    row = kid(a, b, seed=0)[0]
    assert row["value"] == pytest.approx(expected, abs=4 * row["standard_error"] / math.sqrt(100))
    assert row["standard_error"] > 0
    assert kid(a, b, seed=0) == [row] != kid(a, b, seed=1)


def test_precision_and_recall_of_planted_sets():
    rng = np.random.default_rng(0)
    real = rng.standard_normal([300, 4]).astype(np.float32)
    half = np.concatenate([real[:100], real[:100] + 100])  # half of them in the other place
    rows = {row["measure"]: row["value"] for row in precision_recall(half, real)}
    assert rows["precision"] == pytest.approx(0.5)
    assert 0.3 < rows["recall"] < 1
    assert rows["f_score"] == pytest.approx(
        2 * rows["precision"] * rows["recall"] / (rows["precision"] + rows["recall"])
    )
    apart = {row["measure"]: row["value"] for row in precision_recall(real + 100, real)}
    assert list(apart.values()) == [0, 0, 0]


@pytest.mark.parametrize(
    ("generated", "real", "size"), [(50_000, 70_000, 1000), (50_000, 1797, 898), (5, 4, 2)]
)
def test_kids_subsets_are_half_of_a_set_at_most(generated, real, size):
    assert subset_size(generated, real) == size


# Scores of pictures.


def test_scores_are_those_of_the_pictures():
    g, reals = make_generator(), some_pictures()
    found = values(measured(g, Pictures(reals)))
    assert list(found) == ["fid", "kid", "precision", "recall", "f_score"]
    f, r = pooled(generated_pictures(g, range(80), seed=0)), pooled(reals)
    assert found["fid"] == pytest.approx(frechet(f, r), rel=FRECHET)

    def within(x, of):  # Kynkaanniemi et al. 2019, Eq. 1
        balls = np.sort(np.linalg.norm(of[:, None] - of, axis=2), axis=1)[:, 3]
        return (np.linalg.norm(x[:, None] - of, axis=2) <= balls).any(axis=1).mean()

    assert found["precision"] == pytest.approx(within(f, r))
    assert found["recall"] == pytest.approx(within(r, f))


class Whole(Dataset):
    def __init__(self, pixels):
        self.pixels = pixels

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        return self.pixels[index]


def test_the_librarys_front_door_gives_the_same_scores(monkeypatch):
    monkeypatch.setattr("metrics.fidelity_scores.keyed_seed", lambda *_: 2020)
    g, reals = make_generator(), some_pictures()
    expected = torch_fidelity.calculate_metrics(
        input1=Whole(generated_pictures(g, range(80), seed=0)), input2=Whole(reals), fid=True,
        kid=True, prc=True, feature_extractor=NAME, cuda=False, save_cpu_ram=True, cache=False,
        kid_subset_size=30, verbose=False,
    )  # fmt: skip
    result = measured(g, Pictures(reals))
    found = values(result)
    assert found["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=FRONT_DOOR)
    assert found["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)
    deviation = result.rows.set_index("measure").loc["kid", "standard_error"]
    assert deviation == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-6)
    for name in ("precision", "recall", "f_score"):
        assert found[name] == expected[name]


@pytest.mark.parametrize("make", [make_generator, make_stylegan3, make_progan, PlainGenerator])
def test_a_set_and_itself_are_equal(make):
    g = make()
    own = generated_pictures(g, range(60), seed=3)
    found = values(measured(g, Pictures(own), count=60, seed=3))
    assert found["fid"] == pytest.approx(0, abs=NOTHING)
    assert found["kid"] == pytest.approx(0, abs=0.05)
    assert (found["precision"], found["recall"], found["f_score"]) == (1, 1, pytest.approx(1))


def test_a_planted_shift_of_brightness_is_the_fid():
    g = make_generator()
    own = generated_pictures(g, range(60), seed=0).float()
    darker = (own * 0.5).to(torch.uint8)
    brighter = darker + 50
    gap = 48 * (50 / 255) ** 2
    f, r = (pooled(pixels).astype(np.float32) for pixels in (darker, brighter))
    assert fid(f, r)[0]["value"] == pytest.approx(gap, rel=1e-4)


def test_only_the_metrics_asked_for_are_computed():
    assert list(values(measured(metrics=["kid"]))) == ["kid"]
    assert list(values(measured(metrics=["prc", "fid"]))) == [
        "fid", "precision", "recall", "f_score",
    ]  # fmt: skip


def test_a_result_says_what_it_was_made_from():
    result = measured(seed=4, mirror=True)
    assert result.settings == {
        "n": 80, "seed": 4, "reals": 60, "data": "by hand", "mirror": True, "noise": "random",
        "resolution": 16,
        "torch_fidelity": torch_fidelity.__version__, "weights_sha256": {},
        "features": dict.fromkeys(("fid", "kid", "prc"), f"{NAME} pooled"),
        "kid_subsets": 100, "kid_subset_size": 30, "neighbours": 3,
    }  # fmt: skip
    frame = result.frame()
    assert frame["metric"].unique().tolist() == ["fidelity"]
    assert frame["standard_error"].notna().tolist() == [False, True, False, False, False]
    assert result.seconds > 0


# Pictures.


def test_generated_pictures_are_untruncated_bytes_with_noise_of_their_own():
    g = make_generator(c_dim=3)
    pixels = generated_pictures(g, [0, 5, 5, 1], seed=0)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (4, 3, 16, 16)
    assert torch.equal(pixels[1], pixels[2])
    assert not torch.equal(pixels, generated_pictures(g, [0, 5, 5, 1], seed=1))
    for layer in g.synthesis.noise_layers:  # stored maps are not used
        layer.noise_const.add_(7)
    assert torch.equal(pixels, generated_pictures(g, [0, 5, 5, 1], seed=0))


def test_grey_pictures_have_three_equal_channels():
    pixels = generated_pictures(make_generator(channels=1), range(4), seed=0)
    assert torch.equal(pixels[:, :1].expand(-1, 3, -1, -1), pixels)
    result = measured(make_generator(channels=1), Pictures(some_pictures()[:, :1]))
    assert len(result.rows) == 5


def test_real_pictures_are_the_datasets_bytes():
    dataset = open_dataset("builtin:digits", channels=1)
    pixels, _ = digits("train")
    found = _real_pictures(dataset, range(20), mirror=False, seed=0)
    assert torch.equal(found[:, 0], torch.tensor(pixels[:20]).reshape(20, 32, 32))


def test_mirroring_flips_about_half_by_their_number():
    reals = Pictures(some_pictures())
    plain, mirrored = (_real_pictures(reals, range(60), each, seed=0) for each in (False, True))
    flipped = [torch.equal(a.flip(-1), b) for a, b in zip(plain, mirrored, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(plain, mirrored, strict=True)]
    assert [not each for each in same] == flipped
    assert 15 < sum(flipped) < 45
    assert torch.equal(_real_pictures(reals, [7, 3], True, seed=0), mirrored[[7, 3]])


@pytest.mark.parametrize("batch", [1, 3, 7, 64])
def test_batches_change_no_score(batch):
    assert measured(batch=batch).rows.equals(measured().rows)


def test_a_stopped_measurement_goes_on_where_it_stopped():
    finished, g, reals = {}, make_generator(resolution=64), Pictures(some_pictures())
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if done == 60 + 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(g, reals, finished=finished, progress=stop)
    assert seen == [(16, 140), (32, 140), (48, 140), (60, 140), (76, 140), (92, 140)]
    Pooled.calls = 0
    resumed = measured(g, reals, finished=finished)
    assert Pooled.calls == 3
    # Another count takes none of the real pictures for generated ones.
    more = measured(g, reals, count=100, finished=finished)
    assert resumed.rows.equals(measured(g, reals).rows)
    assert more.rows.equals(measured(g, reals, count=100).rows)


def test_nothing_is_left_behind_and_nothing_is_said(capfd):
    torch.manual_seed(5)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    filters, threads = list(warnings.filters), torch.get_num_threads()
    measured()
    open_extractors(["fid"], "cpu", extractor=NAME)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]
    assert random.getstate() == states[2]
    assert warnings.filters == filters
    assert torch.get_num_threads() == threads
    assert capfd.readouterr() == ("", "")


# Weights.


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    """Weights of Inception's shapes, at random."""
    network = torch_fidelity.FeatureExtractorInceptionV3.__new__(
        torch_fidelity.FeatureExtractorInceptionV3
    )
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    with pytest.raises(RuntimeError, match="Missing key"):  # once its layers are there
        network.__init__(INCEPTION, ["2048"], feature_extractor_weights_path=nothing)
    rng = torch.Generator().manual_seed(0)
    weights = {}
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(0)
        elif tensor.ndim > 1:
            spread = math.sqrt(2 / math.prod(tensor.shape[1:]))
            weights[name] = torch.randn(tensor.shape, generator=rng) * spread
        else:
            weights[name] = torch.rand(tensor.shape, generator=rng) * 0.2 + 0.9
    file = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(weights, file)
    yield file
    file.unlink()


def test_inception_is_built_around_a_file(inception_file):
    state = torch.get_rng_state()
    reals = Pictures(some_pictures(4))
    result = measured(reals=reals, count=4, metrics=["kid"], extractor=None, weights=inception_file)
    assert torch.equal(torch.get_rng_state(), state)
    assert result.settings["features"]["kid"] == "inception-v3-compat 2048"
    assert len(result.settings["weights_sha256"]["inception-v3-compat 2048"]) == 64
    network = torch_fidelity.FeatureExtractorInceptionV3(
        INCEPTION, ["2048"], feature_extractor_weights_path=str(inception_file)
    )
    with torch.no_grad():
        own = generated_pictures(make_generator(), range(4), seed=0)
        f, r = network(torch.cat([own, reals.pixels]))[0].numpy().reshape(2, 4, 2048)
    assert f.std() > 0.01
    assert values(result)["kid"] == pytest.approx(kid(f, r, seed=0)[0]["value"], rel=1e-4)


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.mark.parametrize(
    ("metric", "file", "option"),
    [
        ("fid", "weights-inception-2015-12-05-6726825d.pth", "`weights`"),
        ("kid", "weights-inception-2015-12-05-6726825d.pth", "`weights`"),
        ("prc", "vgg16-397923af.pth", "`vgg_weights`"),
    ],
)
def test_missing_weights_are_told_with_what_helps(no_network, metric, file, option):
    with pytest.raises(CheckpointError) as refused:
        measured(metrics=[metric], extractor=None)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    for words in (file, str(no_network), "https://", "no network", "TORCH_HOME", option):
        assert words in message


def test_a_missing_file_of_weights_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pth: no such file"):
        measured(metrics=["fid"], extractor=None, weights=tmp_path / "none.pth")


class Hostile:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    "content",
    [{"a": torch.zeros(1)}, [1, 2], {"Conv2d_1a_3x3.conv.weight": 3}, {"a": Hostile()}, "cut"],
    ids=["other names", "a list", "no tensor", "code", "damaged"],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_other_files_are_refused_and_not_run(content, tmp_path, capfd):
    file = tmp_path / "weights.pth"
    torch.save(content, file)
    if content == "cut":
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"weights\.pth") as refused:
        measured(metrics=["fid"], extractor=None, weights=file)
    assert len(str(refused.value).splitlines()) == 1
    assert "run" not in capfd.readouterr().out


def test_a_missing_library_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(SettingsError, match=r"pip install latentlab\[fidelity\]"):
        measured()


# Bad settings.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ["isc"]}, "`metrics` must be one of fid, kid, prc, but got 'isc'"),
        ({"metrics": []}, "`metrics` must be one of fid, kid, prc, but got nothing"),
        ({"extractor": "none"}, "`extractor` is unknown to torch-fidelity"),
        ({"count": 3}, "4 real and 4 generated pictures or more, but got 60 and 3"),
        ({"reals": Pictures(some_pictures(3))}, "but got 3 and 80"),
        ({"count": 0}, "`num_samples` must be a whole number >= 1"),
        ({"batch": 0}, "`batch` must be a whole number >= 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        measured(**changes)


def test_a_generator_of_broken_pictures_is_refused():
    g = make_generator()
    g.synthesis.blocks[-1].torgb.bias.fill_(math.nan)
    with pytest.raises(NumericalError, match="generated picture 0 holds NaN or infinity"):
        measured(g)


# Of the papers' tables: all real pictures, mixed latents, intervals.


def test_more_real_pictures_than_generated_ones_can_be_used():
    g, reals = make_generator(), some_pictures(80)
    found = measured(g, Pictures(reals), count=40, num_reals=80)
    assert (found.settings["n"], found.settings["reals"]) == (40, 80)
    fakes = pooled(generated_pictures(g, range(40), 0))
    bytes_of = pooled(reals)
    assert values(found)["fid"] == pytest.approx(frechet(fakes, bytes_of), rel=FRECHET)
    assert measured(g, Pictures(reals), count=40, num_reals=9).settings["reals"] == 9


def test_mixed_latents_give_the_scores_of_their_pictures_and_share_the_real_ones():
    g, reals = make_generator(resolution=16), some_pictures()
    finished = {}
    plain = measured(g, Pictures(reals), finished=finished)
    seen = Pooled.calls
    found = measured(g, Pictures(reals), finished=finished, mixed=2)
    assert Pooled.calls - seen == -(-80 // 32) + (80 % 64 > 32)  # no real picture again
    fakes = pooled(generated_pictures(g, range(80), 0, 2))
    assert values(found)["fid"] == pytest.approx(frechet(fakes, pooled(reals)), rel=FRECHET)
    assert found.settings["protocol"] == "mixing2"
    assert values(found)["fid"] != values(plain)["fid"]
    assert measured(g, Pictures(reals), mixed=2).rows.equals(found.rows)


def test_the_standard_error_of_fid_is_the_spread_of_repeated_measurements():
    """Where there are 50 times as many pictures as features: within 15 %, three deviations of
    the spread of 200 repetitions."""
    rng = np.random.default_rng(0)
    size, n = 8, 400
    mixing = rng.standard_normal([size, size]) / math.sqrt(size)
    real = (rng.standard_normal([2000, size]) @ mixing).astype(np.float32)
    other = mixing + 0.3 * rng.standard_normal([size, size]) / math.sqrt(size)
    found = []
    for _ in range(200):
        fakes = (rng.standard_normal([n, size]) @ other + 0.1).astype(np.float32)
        found.append((fid(fakes, real)[0]["value"], fid_standard_error(fakes, real)))
    scores, errors = np.array(found).T
    assert errors.mean() == pytest.approx(scores.std(ddof=1), rel=0.15)
    assert math.isnan(fid_standard_error(real[:size], real))  # a singular covariance


def test_intervals_are_asked_for_and_are_of_fid_and_precision():
    result = measured(count=80, intervals=True)
    frame = result.frame().set_index("quantity")
    assert frame["ci_low"].notna().to_dict() == {
        "FID": True, "KID": False, "precision": True, "recall": False, "F-score": False,
    }  # fmt: skip
    assert (frame["ci_low"] <= frame["value"]).loc[["FID", "precision"]].all()
    assert result.rows["value"].tolist() == measured(count=80).rows["value"].tolist()


def test_features_may_be_those_of_a_program_like_nvidias():
    result = measured(
        count=8, extractor=None, metrics=["prc"], vgg_weights=DATA / "vgg16_standin.pt"
    )
    assert result.settings["features"] == {"prc": NVIDIAS_VGG16}
    assert list(result.settings["weights_sha256"]) == [NVIDIAS_VGG16]
