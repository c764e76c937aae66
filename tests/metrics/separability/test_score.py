"""Linear separability against the published code's results, and against planted truths."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import latentlab
from latentlab import DataError, LatentError, NumericalError, SettingsError
from metrics import linear_separability
from metrics.differences import compare
from metrics.separability.score import separability_from_labels, separability_from_logits
from tests.conftest import make_discriminator, make_generator, make_progan

# The SVM's primal solver gives the fixture's entropies, which are float32.
ENTROPY = 1e-6
SPREAD = {"z": (4.913, 4.944), "w": (2.679, 2.706)}  # published, over ten seeds


def planted(n=2000, d=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng


@pytest.fixture(scope="module")
def reference(shared):
    return np.load(shared / "ls_sg1_32_ref.npz")


class TestFromLogits:
    @pytest.mark.parametrize("space", ["z", "w"])
    def test_entropies_equal_those_of_the_published_samples(self, space, reference):
        latents = reference["latents" if space == "z" else "dlatents"]
        score, table = separability_from_logits(latents, reference["logits"], 1000)
        expected = reference[f"cond_entropy_primal_{space}"]
        np.testing.assert_allclose(table["entropy"], expected, atol=ENTROPY)
        assert score == pytest.approx(2 ** expected.sum(), rel=1e-5)
        assert SPREAD[space][0] <= score <= SPREAD[space][1]
        assert table["converged"].all()
        assert (table["kept"] == 1000).all()
        positive = [1 - reference[f"svm_targets_{i}"].mean() for i in range(3)]
        np.testing.assert_allclose(table["balance"], positive)

    def test_the_published_solver_does_not_converge_and_says_so(self, reference):
        score, table = separability_from_logits(
            reference["latents"], reference["logits"], 1000, dual=True
        )
        assert SPREAD["z"][0] <= score <= SPREAD["z"][1]
        assert not table["converged"].any()
        assert (table["iterations"] == 1000).all()

    def test_tensors_are_taken_as_arrays_are(self, reference):
        logits, latents = reference["logits"], reference["dlatents"]
        arrays = separability_from_logits(latents, logits, 500)
        tensors = separability_from_logits(
            torch.from_numpy(latents), torch.from_numpy(logits), num_keep=500
        )
        assert arrays[0] == tensors[0]
        pd.testing.assert_frame_equal(arrays[1], tensors[1])

    def test_n06_a_planted_attribute_is_found_and_a_random_one_is_not(self):
        latents, rng = planted()
        linear = latents @ rng.standard_normal(8) + 0.5
        score, table = separability_from_logits(
            latents, np.stack([linear, rng.standard_normal(len(latents))])
        )
        assert table["entropy"][0] < 0.01
        assert table["accuracy"][0] > 0.999
        # A sign fitted to n coins in D dimensions explains about D / (pi n ln 2) bits: 0.0037.
        assert table["class_entropy"][1] - 0.015 < table["entropy"][1] <= table["class_entropy"][1]
        assert score == pytest.approx(2 ** table["entropy"].sum())

    def test_a_plane_through_known_overlap_leaves_the_known_entropy(self):
        """Classes one-dimensional and equally likely, a tenth of each on the wrong side."""
        x = np.repeat([-1.0, 1.0], 1000)[:, None]
        y = np.where(np.arange(2000) % 10 == 0, -x[:, 0], x[:, 0])
        _, table = separability_from_logits(x, y[None], 2000)
        binary = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9))
        assert table["entropy"][0] == pytest.approx(binary, abs=1e-12)
        assert table["accuracy"][0] == pytest.approx(0.9)
        # Delta method: entropy moves by log2(9) for each unit of the wrong share.
        width = 2 * 1.96 * np.log2(9) * np.sqrt(0.1 * 0.9 / 2000)
        assert table["ci_high"][0] - table["ci_low"][0] == pytest.approx(width, rel=0.1)
        assert table["ci_low"][0] < binary < table["ci_high"][0]

    def test_n04_names_and_order_of_attributes_do_not_matter(self, reference):
        latents, logits = reference["dlatents"], reference["logits"]
        score, table = separability_from_logits(latents, logits, 1000)
        other, turned = separability_from_logits(
            latents, logits[[2, 0, 1]], 1000, names=["c", "a", "b"]
        )
        assert other == pytest.approx(score, rel=1e-12)
        turned = turned.set_index("attribute").loc[["a", "b", "c"]].reset_index()
        turned["attribute"] = table["attribute"]
        pd.testing.assert_frame_equal(turned, table)

    def test_the_sign_of_logits_does_not_matter(self, reference):
        latents, logits = reference["dlatents"], reference["logits"]
        score, table = separability_from_logits(latents, logits, 1000)
        other, turned = separability_from_logits(latents, -logits, 1000)
        assert other == pytest.approx(score, rel=1e-12)
        np.testing.assert_allclose(table["entropy"], turned["entropy"], rtol=1e-12)
        np.testing.assert_allclose(table["balance"], 1 - turned["balance"])

    def test_one_class_is_perfect_and_shown_as_one_class(self):
        latents, rng = planted()
        _, alone = separability_from_logits(latents, np.ones([1, 2000]))
        assert alone["status"].tolist() == ["one class"]
        assert (alone["entropy"][0], alone["balance"][0], alone["accuracy"][0]) == (0, 1, 1)
        noise = rng.standard_normal(2000)
        with_it = separability_from_logits(latents, np.stack([noise, -np.ones(2000)]))
        assert with_it[0] == separability_from_logits(latents, noise[None])[0]
        assert with_it[1]["status"].tolist() == ["ok", "one class"]
        assert np.isnan(with_it[1]["ci_low"][1])

    @pytest.mark.parametrize(
        ("latents", "logits", "keep", "error", "match"),
        [
            (
                np.ones([4, 2]),
                np.ones([4, 3]),
                2,
                LatentError,
                r"`logits` must have shape \[K, 4\]",
            ),
            (np.ones(4), np.ones([1, 4]), 2, LatentError, "`latents`"),
            (np.full([4, 2], np.nan), np.ones([1, 4]), 2, LatentError, "`latents` hold NaN"),
            (np.ones([4, 2]), np.full([1, 4], np.inf), 2, NumericalError, "`logits` hold"),
            (np.ones([4, 2]), np.ones([1, 4]), 5, SettingsError, "`num_keep`"),
            (np.ones([4, 2]), np.ones([1, 4]), 0, SettingsError, "`num_keep`"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, latents, logits, keep, error, match):
        with pytest.raises(error, match=match):
            separability_from_logits(latents, logits, keep)


class Curved(nn.Module):
    """A hand-made generator: w is z bent so that |z0| becomes a coordinate; pixels show w."""

    z_dim = w_dim = 4
    c_dim, num_ws, channels = 0, 2, 3

    def __init__(self, resolution=4):
        super().__init__()
        self.resolution = resolution

    def mapping(self, z, c=None):
        w = torch.cat([z[:, :1].abs(), z[:, 1:]], dim=1)
        return torch.stack([torch.zeros_like(w), w], dim=1)  # the last row alone says anything

    def synthesis(self, ws, **_):
        size = self.resolution
        return ws[:, -1, :3, None, None].expand(-1, -1, size, size).contiguous()


def brightness(images):
    """Positive where the first channel, |z0|, is large; and positive where z1 is."""
    return torch.stack([images[:, 0].mean(dim=[1, 2]) - 0.7, images[:, 1].mean(dim=[1, 2])], dim=1)


class Counting(nn.Module):
    """A linear classifier with three outputs that counts what it is called with."""

    def __init__(self, features=3 * 16 * 16, outputs=3):
        super().__init__()
        self.head, self.dropout, self.sizes = nn.Linear(features, outputs), nn.Dropout(0.5), []
        nn.init.normal_(self.head.weight, generator=torch.Generator().manual_seed(0))

    def forward(self, images):
        self.sizes.append(len(images))
        return self.head(self.dropout(images.flatten(1)))


@pytest.fixture
def any_batch(monkeypatch):
    """Take batches as they are asked for, in whole groups, which the CPU does not."""
    monkeypatch.setattr("metrics.sampling.batch_size", lambda g, n: -(-(n or 64) // 4) * 4)


class TestOfAGenerator:
    def test_an_attribute_that_is_linear_in_w_alone(self):
        result = linear_separability(Curved(), [brightness], 2000, 1000, outputs="attributes")
        table = result.samples.set_index(["space", "attribute"])
        bent, straight = "classifier 0 0", "classifier 0 1"
        assert table.loc[("w", bent), "entropy"] < 0.02
        assert table.loc[("z", bent), "entropy"] > table.loc[("z", bent), "class_entropy"] - 0.03
        assert table.loc[("z", straight), "entropy"] < 0.02
        assert result.rows["space"].tolist() == ["z", "w", "z", "w"]
        assert result.value == result.rows["value"][0] > 1.8
        assert result.rows["value"][1] < 1.05
        assert result.ci_low < result.value < result.ci_high

    @pytest.mark.usefixtures("any_batch")
    def test_n01_the_batch_size_changes_nothing(self):
        g, clf = make_generator(), Counting()
        results = [linear_separability(g, [clf], 90, 40, batch=b) for b in (1, 3, 7, 64, None)]
        for result in results[1:]:
            pd.testing.assert_frame_equal(result.rows, results[0].rows)
            pd.testing.assert_frame_equal(result.samples, results[0].samples)
        assert {4, 8, 64} <= set(clf.sizes)

    @pytest.mark.usefixtures("any_batch")
    def test_published_classifiers_see_groups_of_four_whatever_the_batch(self):
        g, d = make_generator(), make_discriminator()

        def logits(n, batch):
            finished = {}
            linear_separability(g, [d], n, batch=batch, finished=finished)
            return np.concatenate([p["logits_0"] for p in finished.values() if "logits_0" in p])

        alone = logits(22, 4)
        for n, batch in ((22, 1), (22, 12), (22, 64), (21, 64), (9, None)):
            np.testing.assert_allclose(logits(n, batch), alone[:n], atol=1e-6)

    def test_models_are_compared_by_their_scores(self):
        clf = Counting()
        results = {str(i): [linear_separability(make_generator(i), [clf], 60)] for i in (0, 1)}
        table = compare(results)
        names = ["cross-fitted separability in Z", "cross-fitted separability in W"]
        assert table["quantity"].tolist() == names
        assert table["value_b"].tolist() == results["1"][0].rows["value"][2:].tolist()

    @pytest.mark.usefixtures("any_batch")
    def test_more_samples_begin_with_those_of_fewer(self):
        g, clf, finished = make_generator(), Counting(), {}
        linear_separability(g, [clf], 16, batch=8, finished=finished)
        calls = len(clf.sizes)
        more = linear_separability(g, [clf], 24, batch=8, finished=finished)
        assert len(clf.sizes) == calls + 1
        pd.testing.assert_frame_equal(more.rows, linear_separability(g, [clf], 24).rows)

    @pytest.mark.usefixtures("any_batch")
    def test_a_finished_part_is_not_computed_again(self):
        g, clf = make_generator(), Counting()
        whole = linear_separability(g, [clf], 40, 20, batch=8)
        finished, calls = {}, len(clf.sizes)

        def stop(done, total):
            if done >= 16:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            linear_separability(g, [clf], 40, 20, batch=8, finished=finished, progress=stop)
        assert len(clf.sizes) == calls + 2
        again = linear_separability(g, [clf], 40, 20, batch=8, finished=finished)
        assert len(clf.sizes) == calls + 5
        once_more = linear_separability(g, [clf], 40, 20, batch=8, finished=finished)
        assert len(clf.sizes) == calls + 5
        for result in (again, once_more):
            pd.testing.assert_frame_equal(result.rows, whole.rows)
            pd.testing.assert_frame_equal(result.samples, whole.samples)

    @pytest.mark.usefixtures("any_batch")
    def test_progress_tells_of_samples_and_then_of_planes(self):
        seen, fitted = [], []
        linear_separability(
            make_generator(), [Counting()], 10, 5, batch=8,
            progress=lambda *a: seen.append(a), fit_progress=lambda *a: fitted.append(a),
        )  # fmt: skip
        assert seen == [(8, 10), (10, 10)]
        assert fitted == [(i, 12) for i in range(1, 13)]  # those of the folds are one each

    def test_classifiers_are_asked_in_eval_mode_and_left_as_they_were(self):
        g, clf = make_generator(), Counting()
        clf.dropout.eval()
        first = linear_separability(g, [clf], 40, 20)
        assert (clf.training, clf.head.training, clf.dropout.training) == (True, True, False)
        pd.testing.assert_frame_equal(first.rows, linear_separability(g, [clf.eval()], 40, 20).rows)

    def test_rows_carry_what_decides_them(self):
        g = make_generator(c_dim=3)
        result = linear_separability(g, [Counting()], 40, spaces=["w"], seed=3, names=["digits"])
        frame = result.frame()
        assert frame["protocol"].tolist() == ["ls", "ls"]
        assert (frame["n"][0], frame["seed"][0], frame["space"][0]) == (40, 3, "w")
        assert result.settings["num_keep"] == 20
        one_class = (result.samples["status"] == "one class").sum()
        assert (result.settings["attributes"], result.settings["one_class"]) == (3, one_class)
        assert result.samples["attribute"].tolist() == ["digits 0", "digits 1", "digits 2"]
        assert result.seconds > 0

    def test_the_bundled_digits_are_their_classes(self):
        g = latentlab.load("builtin:digits-stylegan2").generator
        clf = latentlab.load_classifier("builtin:digits-classifier")
        table = linear_separability(g, [clf], 40, spaces=("w",)).samples
        assert table["attribute"].tolist() == list(clf.config.classes)
        assert table["kept"].unique().tolist() == [20]

    def test_a_published_classifier_takes_a_published_generator(self, shared):
        g = latentlab.load(shared / "sg1_32.pkl").generator
        clf = latentlab.load_classifier(shared / "classifier_00_dbasic.pkl")
        result = linear_separability(g, [clf], 64, 32)
        assert result.samples["attribute"].tolist() == ["classifier 0"] * 2
        assert (result.samples["kept"] == 32).all()

    def test_without_w_there_is_z(self):
        g, clf = make_progan(), Counting()
        with pytest.raises(LatentError, match="no W"):
            linear_separability(g, [clf], 20)
        rows = linear_separability(g, [clf], 20, spaces=("z",)).rows
        assert rows["space"].tolist() == ["z", "z"]

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"num_samples": 0}, "num_samples"),
            ({"num_keep": 21}, "`num_keep` must be at most 20"),
            ({"spaces": ("w+",)}, "`spaces`"),
            ({"spaces": ()}, "`spaces`"),
            ({"classifiers": []}, "`classifiers`"),
            ({"classifiers": Counting()}, "`classifiers`"),
            ({"names": ["a", "b"]}, "`names`"),
            ({"outputs": "labels"}, "`outputs`"),
        ],
    )
    def test_settings_out_of_range_are_refused(self, changes, match):
        settings = {"classifiers": [Counting()], "num_samples": 20, **changes}
        with pytest.raises(SettingsError, match=match):
            linear_separability(make_generator(), **settings)


def test_images_are_not_kept():
    """20,000 images of 64 pixels are 983 MB; what is kept of them is a few."""
    code = (
        "import resource\n"
        "from metrics import linear_separability\n"
        "from tests.metrics.separability.test_score import Curved, brightness\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "g = Curved(64)\n"
        "linear_separability(g, [brightness], 200, outputs='attributes')\n"
        "before = peak()\n"
        "linear_separability(g, [brightness], 20_000, outputs='attributes')\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 100


class TestFromLabels:
    def test_labels_give_what_their_logits_give(self):
        latents, rng = planted(400)
        logits = latents @ rng.standard_normal([8, 2]) + rng.standard_normal([400, 2])
        labels = pd.DataFrame({"smile": logits[:, 0] > 0, "hat": np.where(logits[:, 1] > 0, 1, -1)})
        result = separability_from_labels(torch.from_numpy(latents), labels)
        score, table = separability_from_logits(latents, np.sign(logits.T), 400)
        assert result.value == score
        np.testing.assert_array_equal(result.samples["entropy"], table["entropy"])
        assert result.samples["attribute"].tolist() == ["smile", "hat"]
        assert result.settings["protocol"] == "ls_labels"

    def test_unknown_labels_leave_out_their_sample_for_that_attribute(self):
        latents, rng = planted(400)
        known = rng.random(400) > 0.3
        truth = latents[:, 0] > 0
        labels = pd.DataFrame({
            "a": pd.Series(truth.astype(float)).where(known), "b": rng.random(400) > 0.5,
        })  # fmt: skip
        table = separability_from_labels(latents, labels).samples.set_index("attribute")
        assert (table.loc["a", "kept"], table.loc["a", "unknown"]) == (
            known.sum(),
            400 - known.sum(),
        )
        assert (table.loc["b", "kept"], table.loc["b", "unknown"]) == (400, 0)
        only = separability_from_labels(latents[known], labels[["a"]][known]).samples
        assert only["entropy"][0] == table.loc["a", "entropy"]

    def test_other_counts_are_refused(self):
        with pytest.raises(DataError, match="3 rows of labels for 4 latents"):
            separability_from_labels(np.ones([4, 2]), pd.DataFrame({"a": [0, 1, 0]}))
