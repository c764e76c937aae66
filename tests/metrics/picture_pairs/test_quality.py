"""Inversions: means over pairs, against other implementations on the same pairs."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch_fidelity

from latentlab import ImageError, SettingsError, perceptual_distance
from latentlab.datasets.digits import digits
from latentlab.identity import FaceIdentity
from latentlab.images import pixels_to_tensor
from metrics import inversion_quality
from metrics.fidelity_networks import METRICS
from metrics.fidelity_scores import fid, kid
from metrics.picture_pairs.pixels import pair_of, stacked
from tests.support.pairs import MeanFaces, as_image, photograph, results_of, save_program
from tests.support.pooled import NAME

INDEPENDENT = 1e-3  # absolute, as asked of independent implementations; we measured 1e-6 and less


@pytest.fixture(scope="module")
def alex(tmp_path_factory):
    """LPIPS (alex) on a random backbone, as no weights can be fetched; its file lacks the rest."""
    import torchvision

    home = tmp_path_factory.mktemp("torch")
    (home / "hub" / "checkpoints").mkdir(parents=True)
    with torch.device("meta"):
        shapes = torchvision.models.alexnet().features.state_dict()
    rng = torch.Generator().manual_seed(99)
    weights = {
        f"features.{key}": torch.randn(each.shape, generator=rng) / max(each[0].numel(), 1) ** 0.5
        for key, each in shapes.items()
    }
    torch.save(weights, home / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        yield perceptual_distance("lpips-alex")


@pytest.fixture
def pooled(monkeypatch):
    for metric in METRICS:
        monkeypatch.setitem(torch_fidelity.utils.DEFAULT_FEATURE_EXTRACTOR, metric, NAME)


@pytest.fixture(scope="module")
def pairs():
    """Seven targets of 300 pixels, and a result of each of some other size."""
    targets, results = [], []
    for seed in range(7):
        target = photograph(300, seed)
        made = [*results_of(target).values()]
        targets.append(as_image(target))
        results.append(as_image(made[seed % len(made)]))
    return targets, results


@pytest.fixture(scope="module")
def plain(pairs):
    """What is measured without any network."""
    return inversion_quality(*pairs)


def values(result):
    return result.rows.set_index("measure")["value"].to_dict()


@pytest.mark.filterwarnings("ignore::UserWarning")  # lpips calls torchvision by its older names
def test_lpips_is_that_of_the_package_on_the_same_pairs(alex, pairs):
    import lpips

    package = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    package.load_state_dict(alex._model.state_dict())
    result = inversion_quality(*pairs, [alex])
    for i, (target, made) in enumerate(zip(*pairs, strict=True)):
        pair = pair_of(target, made)
        with torch.no_grad():
            expected = float(package(stacked(pair.targets), stacked(pair.results)))
        assert result.samples["lpips-alex"][i] == pytest.approx(expected, abs=INDEPENDENT * 0.01)
    assert result.rows["quantity"].iloc[0] == "LPIPS (alex)"


def test_a_report_holds_the_means_of_the_pictures(plain):
    result = plain
    assert [*values(result)] == ["mse", "mae", "psnr", "ssim", "ms_ssim"]
    for name, value in values(result).items():
        assert value == pytest.approx(result.samples[name].mean(), rel=1e-12)
    frame = result.frame()
    assert (frame["ci_low"] < frame["value"]).all()
    assert (frame["value"] < frame["ci_high"]).all()
    assert (frame["n"] == 7).all()
    assert result.settings["resolution"] == 256
    assert dict(zip(frame["measure"], frame["better_when"], strict=True)) == {
        "mse": "lower", "mae": "lower", "psnr": "higher", "ssim": "higher", "ms_ssim": "higher",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["torchmetrics.functional.image", "skimage.metrics"])
def test_psnr_is_that_of_other_libraries(pairs, plain, name):
    pytest.importorskip(name)
    result = plain
    for i, pair in enumerate(pair_of(*each) for each in zip(*pairs, strict=True)):
        if name.startswith("torchmetrics"):
            from torchmetrics.functional.image import peak_signal_noise_ratio as of_torchmetrics

            views = stacked(pair.results), stacked(pair.targets)
            expected = float(of_torchmetrics(*views, data_range=2.0))
        else:
            from skimage.metrics import peak_signal_noise_ratio

            expected = peak_signal_noise_ratio(pair.targets[0], pair.results[0])
        assert result.samples["psnr"][i] == pytest.approx(expected, abs=INDEPENDENT)


def test_faces_are_compared_by_the_network(pairs, tmp_path):
    identity = FaceIdentity(save_program(MeanFaces(), tmp_path / "face.pt"))
    targets, results = pairs[0][:2], pairs[1][:2]
    result = inversion_quality(targets, results, identity=identity, side=64)
    for i, pair in enumerate(pair_of(*each) for each in zip(targets, results, strict=True)):
        expected = float(identity(stacked(pair.targets), stacked(pair.results)))
        assert result.samples["identity"][i] == pytest.approx(expected, abs=1e-6)
    assert result.settings["face_crop"] == "ffhq"


def test_scores_are_those_of_the_two_sets(pairs, pooled):
    result = inversion_quality(*pairs, scores=("kid", "fid"), seed=2)

    def features(images):
        seen = [pair_of(image, image).targets[0] for image in images]
        parts = torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2).float() / 255
        return torch.nn.functional.adaptive_avg_pool2d(parts, 4).flatten(1).numpy()

    target, made = (features(images) for images in pairs)
    assert values(result)["fid"] == pytest.approx(fid(made, target)[0]["value"], rel=1e-6)
    assert values(result)["kid"] == pytest.approx(kid(made, target, 2)[0]["value"], rel=1e-6)
    assert any("FID falls with the number of pictures" in note for note in result.notes)


def test_a_pair_does_not_depend_on_its_neighbours(pairs, alex):
    whole = inversion_quality(*pairs, [alex])
    targets, results = pairs
    alone = inversion_quality(targets[5:6], results[5:6], [alex])
    for name in ("mse", "mae", "psnr", "ssim", "ms_ssim"):
        assert alone.samples[name][0] == whole.samples[name][5], name
    found = alone.samples["lpips-alex"][0]
    assert found == pytest.approx(whole.samples["lpips-alex"][5], rel=1e-5)


def test_finished_batches_are_not_measured_again(pairs):
    finished = {}
    first = inversion_quality(*pairs, finished=finished, side=32)

    class Gone(list):
        def __getitem__(self, index):
            raise AssertionError("read again")

    again = inversion_quality(Gone(pairs[0]), Gone(pairs[1]), finished=finished, side=32)
    assert again.samples.equals(first.samples)


def test_small_pictures_are_measured_at_their_own_size():
    pictures, _ = digits("held-out")
    images = pixels_to_tensor(pictures[:6], 1)
    distance = perceptual_distance("builtin:digits")
    result = inversion_quality(images, (images * 0.9).clamp(-1, 1), [distance])
    assert result.settings["resolution"] == 32
    assert [*values(result)] == ["builtin:digits", "mse", "mae", "psnr", "ssim"]
    notes = " ".join(result.notes)
    assert "Measured at 32x32 pixels" in notes
    assert "MS-SSIM is left out: its five scales take pictures of 176 pixels or more" in notes


def test_equal_pictures_are_named_and_have_no_psnr(pairs):
    targets, results = pairs
    about = pd.DataFrame({"picture": [f"p{i}" for i in range(7)]})
    result = inversion_quality(targets, [targets[0], *results[1:]], about=about, side=32)
    row = result.frame().set_index("quantity").loc["PSNR"]
    assert row["n"] == 6
    assert (
        "Equal to the target, pixel by pixel, and left out of the mean of PSNR: p0."
        in (row["note"])
    )
    assert values(result)["mse"] == pytest.approx(result.samples["mse"].mean())


class Broken(list):
    """Pictures of which the third cannot be read."""

    def __getitem__(self, index):
        if index == 2:
            raise ImageError("third.png: not a picture")
        return super().__getitem__(index)


def test_a_picture_that_cannot_be_read_is_left_out(pairs):
    result = inversion_quality(pairs[0], Broken(pairs[1]), side=32)
    assert result.settings["n"] == 6
    assert result.samples["status"].tolist() == ["ok", "ok", "unreadable", *["ok"] * 4]
    assert np.isnan(result.samples["mse"][2])
    assert "Cannot be read, and left out: 2." in result.notes
    with pytest.raises(ImageError, match="no pair"):
        inversion_quality(pairs[0][:1], Unreadable(1))


class Unreadable:
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        raise ImageError("gone.png: no such file")


def test_what_is_known_of_pairs_is_kept_and_told(pairs):
    about = pd.DataFrame({
        "picture": list("abcdefg"), "seconds": [1.0, 2, 3, 4, 5, 6, np.nan],
        "diverged": [False, True, *[False] * 5], "masked": [*[False] * 6, True],
    })  # fmt: skip
    result = inversion_quality(*pairs, about=about, side=32)
    row = result.frame().set_index("quantity").loc["seconds per picture"]
    assert (row["value"], row["n"]) == (3.5, 6)
    notes = " ".join(result.notes)
    assert "the best before that is measured: b." in notes
    assert "Projected within a mask, yet measured as whole pictures: g." in notes
    assert result.samples["picture"].tolist() == list("abcdefg")


def test_alpha_counts_for_every_measure_and_is_told(alex, pairs):
    """What is not seen on white is seen on black: no measure calls the pictures equal."""
    white = torch.ones(3, 64, 64)
    clear = torch.cat([white, -torch.ones(1, 64, 64)])
    result = inversion_quality([clear], [white], [alex])
    found = values(result)
    assert result.settings["alpha"] == "on white and on black, averaged"
    assert found["mse"] == pytest.approx(2)  # 0 on white, 4 on black
    assert found["ssim"] == pytest.approx(0.5, abs=0.01)
    views = -white[None], white[None]
    assert found["lpips-alex"] == pytest.approx(float(alex(*views)) / 2, rel=1e-5)
    assert "alpha" not in inversion_quality(pairs[0][:1], pairs[1][:1], side=32).settings


def test_of_few_pictures_no_interval_is_given(pairs):
    result = inversion_quality(pairs[0][:3], pairs[1][:3], side=32)
    assert result.rows["ci_low"].isna().all()
    assert "Of fewer than 6 pictures no interval is given." in result.notes


@pytest.mark.parametrize(("changes", "words"), [
    ({"results": []}, "as many pairs"), ({"targets": [], "results": []}, "at least one"),
    ({"scores": ("prc",)}, "`scores`"), ({"about": pd.DataFrame({"picture": ["a"]})}, "and 1"),
])  # fmt: skip
def test_wrong_arguments_are_named(pairs, changes, words):
    arguments = {"targets": pairs[0], "results": pairs[1], **changes}
    with pytest.raises(SettingsError, match=words):
        inversion_quality(**arguments)


def test_scores_of_too_few_pairs_are_refused(pairs):
    with pytest.raises(SettingsError, match="4 pairs or more"):
        inversion_quality(pairs[0][:3], pairs[1][:3], scores=("fid",))


def small(count, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [*(2 * torch.rand(count, 3, 16, 16, generator=rng) - 1)]


def test_a_mean_of_few_pictures_is_said_to_have_no_interval():
    """Six pairs are enough for MSE, but three of them are equal, and have no PSNR."""
    targets = small(6)
    result = inversion_quality(targets, [*targets[:3], *small(3, seed=1)])
    rows = result.rows.set_index("quantity")
    assert rows["ci_low"].isna().to_dict() == {"MSE": False, "MAE": False, "PSNR": True,
                                               "SSIM": False}  # fmt: skip
    (found,) = [each for each in result.cautions if "no interval is given" in each.text]
    assert found.quantities == ("PSNR",)


def test_a_picture_that_is_not_finite_is_left_out():
    targets = small(3)
    targets[1][0, 2, 3] = torch.nan
    result = inversion_quality(targets, small(3, seed=1))
    assert result.samples["status"].tolist() == ["ok", "unreadable", "ok"]
    assert result.settings["n"] == 2


@pytest.mark.parametrize("settings", [{"side": 0}, {"side": 2.5}, {"seed": -1}])
def test_a_setting_out_of_range_is_refused(settings):
    with pytest.raises(SettingsError, match=next(iter(settings))):
        inversion_quality(small(2), small(2), **settings)


def test_scores_that_too_few_pictures_leave_out_are_named(pooled):
    class Broken(list):
        def __getitem__(self, i):
            if i > 1:
                raise ImageError("cannot be read")
            return super().__getitem__(i)

    result = inversion_quality(Broken(small(5)), small(5, seed=1), scores=["fid"])
    assert "FID" not in set(result.rows["quantity"])
    assert any("FID" in each.text and "4" in each.text for each in result.cautions)
