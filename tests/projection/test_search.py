import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import ImageError, NumericalError, ProjectorSettings, SettingsError, project
from latentlab.projection import search
from latentlab.projection.masks import load_mask
from latentlab.projection.search import row_spread
from tests.conftest import make_generator
from tests.projection.test_projector import squared, targets


class TestPull:
    g = make_generator()

    def test_the_formula(self):
        w = np.random.default_rng(0).standard_normal((2, 4, 5))
        expected = [
            np.mean([np.sum((row - one.mean(axis=0)) ** 2) for row in one]) / 3.0**2 for one in w
        ]
        found = row_spread(torch.from_numpy(w), torch.tensor(3.0))
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_it_is_added_to_the_loss_and_keeps_rows_together(self):
        def run(pull):
            settings = ProjectorSettings(space="w+", steps=40, w_samples=50, w_plus_pull=pull)
            return project(self.g, targets(1), squared, settings=settings)

        free, pulled = run(0.0), run(10.0)
        one = torch.tensor(1.0)
        assert row_spread(pulled.ws, one) < 0.3 * row_spread(free.ws, one)
        rest = free.history["loss"] - free.history["distance"] - 1e5 * free.history["noise_penalty"]
        assert rest.abs().max() < 1e-3
        assert pulled.history["loss"][20] > pulled.history["distance"][20]

    def test_it_needs_w_plus_and_a_number(self):
        with pytest.raises(SettingsError, match=r"with `space` w\+"):
            ProjectorSettings(w_plus_pull=0.1)
        for value in (-1.0, float("nan"), "a"):
            with pytest.raises(SettingsError, match="`w_plus_pull`"):
                ProjectorSettings(space="w+", w_plus_pull=value)
        with pytest.raises(SettingsError, match="`start_samples`"):
            ProjectorSettings(start_samples=-1)


class TestMasks:
    g = make_generator()

    def half(self):
        mask = torch.zeros(1, 1, 16, 16)
        mask[..., :8] = 1
        return mask

    def test_what_lies_outside_changes_nothing(self):
        """The picture outside may be anything; a wrong one is replaced along with the image."""
        first = targets(1)
        second = torch.where(self.half() > 0, first, -first)
        runs = [project(self.g, x, squared, steps=20, masks=self.half()) for x in (first, second)]
        torch.testing.assert_close(runs[0].ws, runs[1].ws, atol=1e-4, rtol=0)
        whole = [project(self.g, x, squared, steps=20) for x in (first, second)]
        assert (whole[0].ws - whole[1].ws).abs().max() > 0.1

    def test_the_distances_are_those_within(self):
        result = project(self.g, targets(1), squared, steps=3, masks=self.half())
        within = (result.images - targets(1))[..., :8].square().sum() / (3 * 16 * 16)
        torch.testing.assert_close(result.distance[0], within)
        assert result.images[..., 8:].std() > 0, "the saved image is the generator's own"

    def test_a_grey_mask_counts_in_part(self):
        quarter = torch.full([1, 1, 16, 16], 0.25)
        result = project(self.g, targets(1), squared, steps=1, masks=quarter)
        whole = squared(result.images, targets(1))
        torch.testing.assert_close(result.distance, whole / 16)

    def test_each_image_has_its_own_mask(self):
        masks = torch.cat([self.half(), 1 - self.half(), self.half()])
        together = project(self.g, targets(3), squared, steps=3, masks=masks, batch=1)
        for i in range(3):
            alone = project(self.g, targets(3)[i : i + 1], squared, steps=3, masks=masks[i : i + 1])
            assert torch.equal(alone.ws[0], together.ws[i])

    @pytest.mark.parametrize(("mask", "named"), [
        (torch.zeros(1, 1, 16, 16), "mask 0 is zero all over"),
        (torch.full([1, 1, 16, 16], 1.5), r"outside \[0,1\]"),
        (torch.full([1, 1, 16, 16], torch.nan), r"outside \[0,1\]"),
        (torch.ones(1, 16, 16), "shape"), (torch.ones(1, 3, 16, 16), "shape"),
        (torch.ones(2, 1, 16, 16), "shape"), (torch.ones(1, 1, 8, 8), "shape"),
        (torch.ones(1, 1, 16, 16, dtype=torch.uint8), "floats"),
    ])  # fmt: skip
    def test_bad_masks_are_refused(self, mask, named):
        with pytest.raises(ImageError, match=named):
            project(self.g, targets(1), squared, steps=1, masks=mask)


class TestMaskFiles:
    def test_white_counts_and_the_crop_is_the_picture_s(self, tmp_path):
        pixels = np.zeros((16, 32), np.uint8)
        pixels[:, 8:16] = 255
        pixels[:, 16:24] = 51
        Image.fromarray(pixels).save(tmp_path / "mask.png")
        mask = load_mask(tmp_path / "mask.png", 16)
        assert mask.shape == (1, 16, 16)
        np.testing.assert_allclose(mask[0, 3, :8], 1)
        np.testing.assert_allclose(mask[0, 3, 8:], 0.2, atol=1e-6)

    def test_a_resize_stays_within_bounds(self, tmp_path):
        pixels = np.kron([[0, 255], [255, 0]], np.full((20, 20), 1)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "mask.png")
        mask = load_mask(tmp_path / "mask.png", 32)
        assert (mask.min(), mask.max()) == (0, 1)

    def test_a_black_one_is_refused(self, tmp_path):
        Image.new("L", (16, 16)).save(tmp_path / "black.png")
        with pytest.raises(ImageError, match=r"black\.png.*black all over"):
            load_mask(tmp_path / "black.png", 16)
        with pytest.raises(ImageError, match=r"none\.png: no such file"):
            load_mask(tmp_path / "none.png", 16)


class Breaking:
    """A distance that is not finite for one image from its n-th call on."""

    def __init__(self, image, call, value=torch.nan, calls=10**6):
        self.image, self.first, self.last = image, call, call + calls
        self.value, self.calls = value, 0

    def __call__(self, first, second):
        distances = squared(first, second)
        self.calls += 1
        if len(distances) > self.image and self.first < self.calls <= self.last:
            factor = torch.ones(len(distances))
            factor[self.image] = self.value
            distances = distances * factor
        return distances


class TestDivergence:
    g = make_generator()

    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_the_others_go_on_unharmed(self, value):
        def run(distance):
            return project(
                self.g, targets(3), distance, steps=12, batch=3, space="w+", on_divergence="keep"
            )

        healthy = run(squared)
        broken = run(Breaking(1, 6, value))
        assert broken.diverged.tolist() == [False, True, False]
        assert healthy.diverged.tolist() == [False] * 3
        for i in (0, 2):
            assert torch.equal(broken.ws[i], healthy.ws[i])
            assert torch.equal(broken.images[i], healthy.images[i])
            assert all(torch.equal(a[i], b[i]) for a, b in zip(broken.noise, healthy.noise))  # noqa: B905
        ours = broken.history[broken.history["image"] != 1].reset_index(drop=True)
        theirs = healthy.history[healthy.history["image"] != 1].reset_index(drop=True)
        assert ours.equals(theirs)

    def test_j09_the_best_latents_so_far_are_kept(self):
        rendered = []
        result = project(
            self.g, targets(2), Breaking(1, 9), steps=20, batch=2, on_divergence="keep",
            observer=lambda _, images: rendered.append(images),
        )  # fmt: skip
        history = result.history[result.history["image"] == 1].set_index("step")
        steps = history["distance"].notna().sum()
        assert steps == 8, "the ninth call is the start's and eight steps'"
        best = history["loss"].idxmin()
        torch.testing.assert_close(result.images[1], rendered[best][1], atol=1e-5, rtol=0)
        assert bool(torch.isfinite(result.ws).all())

    def test_one_that_never_had_a_number_keeps_its_start(self):
        result = project(self.g, targets(2), Breaking(0, 0), steps=4, batch=2, on_divergence="keep")
        assert result.diverged.tolist() == [True, False]
        assert bool(torch.isfinite(result.ws).all())

    def test_a_batch_without_survivors_ends_early(self):
        steps = []
        result = project(
            self.g, targets(2), Breaking(0, 3), steps=50, batch=1, on_divergence="keep",
            progress=lambda step, _: steps.append(step),
        )  # fmt: skip
        assert result.diverged.tolist() == [True, True]
        assert len(steps) < 10
        assert (result.history["image"] == 0).sum() == 3

    def test_a_last_step_that_goes_too_far_is_taken_back(self):
        """The loss is finite at every step, the result's is not."""
        result = project(
            self.g, targets(2), Breaking(1, 1 + 5, calls=1), steps=5, batch=2,
            on_divergence="keep",
        )  # fmt: skip
        assert result.diverged.tolist() == [False, True]
        assert bool(torch.isfinite(result.distance).all())
        assert result.distance[1] == pytest.approx(
            squared(result.images, targets(2))[1].item(), rel=1e-6
        )

    def test_an_error_stays_the_default(self):
        with pytest.raises(NumericalError, match=r"step 2.*image 1"):
            project(self.g, targets(2), Breaking(1, 3), steps=5, batch=2)
        with pytest.raises(SettingsError, match="`on_divergence`"):
            project(self.g, targets(1), squared, steps=1, on_divergence="skip")

    @pytest.mark.parametrize("steps", [4, 20])
    def test_where_looking_waits_the_step_is_named_all_the_same(self, steps, monkeypatch):
        monkeypatch.setattr(search, "may_look", lambda _, step: step % 10 == 9)
        with pytest.raises(NumericalError, match=r"step 2.*image 1"):
            project(self.g, targets(2), Breaking(1, 3), steps=steps, batch=2)
