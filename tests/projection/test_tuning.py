import copy
import json

import pytest
import torch
from safetensors.torch import save_file

from latentlab import (
    CheckpointError,
    ImageError,
    LatentError,
    NumericalError,
    SettingsError,
    TuningSettings,
    UnsupportedCheckpoint,
    apply_tuning,
    load_tuning,
    save_tuning,
    tune,
)
from latentlab.projection.tuning_file import Tuning, difference
from tests.conftest import make_generator
from tests.projection.test_projector import squared, targets

BASE = "ab" * 32


def settings(**changes):
    return TuningSettings(**{"steps": 3, "locality_weight": 0.0, **changes})


def pivots(g, n, seed=0):
    return g.mapping(torch.randn([n, g.z_dim], generator=torch.Generator().manual_seed(seed)))


def weights(g):
    return dict(g.named_parameters())


def moved(g, seed=1, size=0.01):
    """The generator with its synthesis weights moved at random."""
    other = copy.deepcopy(g)
    rng = torch.Generator().manual_seed(seed)
    for weight in other.synthesis.parameters():
        weight.add_(torch.randn(weight.shape, generator=rng) * size)
    return other


class TestTune:
    g = make_generator()

    def test_the_first_step_is_adam_s_on_the_written_loss(self):
        """One step of Adam moves each weight by the learning rate against its gradient's sign."""
        ws, goals = pivots(self.g, 2), targets(2)
        by_hand = copy.deepcopy(self.g)
        by_hand.synthesis.requires_grad_(True)
        images = by_hand.synthesis(ws)
        flat = (images - goals).flatten(1)
        (flat.abs().mean(dim=1) + 0.7 * flat.square().mean(dim=1)).mean().backward()
        result = tune(
            self.g, ws, None, goals, lambda a, b: (a - b).abs().mean(dim=[1, 2, 3]), BASE,
            settings=settings(steps=1, learning_rate=1e-3, l2_weight=0.7),
        )  # fmt: skip
        tuned = weights(apply_tuning(self.g, result, BASE).synthesis)
        for name, weight in by_hand.synthesis.named_parameters():
            clear = weight.grad.abs() > 1e-4  # where the gradient's sign is no rounding
            step = (tuned[name] - weight)[clear]
            torch.testing.assert_close(step, -1e-3 * weight.grad[clear].sign(), atol=1e-5, rtol=0)

    def test_images_come_closer_and_only_the_synthesis_changes(self):
        ws, goals = pivots(self.g, 2), targets(2)
        before = {name: weight.clone() for name, weight in self.g.state_dict().items()}
        result = tune(
            self.g, ws, None, goals, squared, BASE,
            settings=settings(steps=60, learning_rate=3e-3, locality_weight=0.1),
        )  # fmt: skip
        tuned = apply_tuning(self.g, result, BASE)
        assert (
            squared(tuned.synthesis(ws), goals) < 0.7 * squared(self.g.synthesis(ws), goals)
        ).all()
        assert all(torch.equal(before[name], now) for name, now in self.g.state_dict().items())
        assert not any(weight.requires_grad for weight in self.g.parameters())
        for name, weight in weights(tuned.mapping).items():
            assert torch.equal(weight, weights(self.g.mapping)[name])

    def test_a_batch_changes_nothing_but_rounding(self):
        ws, goals = pivots(self.g, 3), targets(3)
        noise = [torch.randn(3, *shape[1:]) for shape in self.g.synthesis.noise_shapes]
        runs = [
            tune(self.g, ws, noise, goals, squared, BASE, settings=settings(), batch=batch)
            for batch in (1, 2, 3)
        ]
        first = weights(apply_tuning(self.g, runs[0], BASE).synthesis)
        for run in runs[1:]:
            for name, weight in weights(apply_tuning(self.g, run, BASE).synthesis).items():
                torch.testing.assert_close(weight, first[name], atol=3e-5, rtol=0)

    def test_it_repeats_and_the_seed_decides_where_locality_looks(self):
        ws, goals = pivots(self.g, 1), targets(1)

        def run(seed):
            chosen = settings(seed=seed, locality_weight=1.0)
            return tune(self.g, ws, None, goals, squared, BASE, settings=chosen).changes

        first, again, other = run(0), run(0), run(1)
        assert all(torch.equal(first[name][1], again[name][1]) for name in first)
        assert any(not torch.equal(first[name][1], other[name][1]) for name in first)

    def test_locality_holds_other_images(self):
        ws, goals = pivots(self.g, 1), targets(1)
        others = pivots(self.g, 20, seed=5)

        def drift(weight):
            chosen = settings(steps=60, learning_rate=3e-3, locality_weight=weight)
            result = tune(self.g, ws, None, goals, squared, BASE, settings=chosen)
            tuned = apply_tuning(self.g, result, BASE)
            return squared(tuned.synthesis(others), self.g.synthesis(others)).mean()

        assert drift(3.0) < 0.7 * drift(0.0)

    def test_progress_tells_the_distance_of_each_image(self):
        ws, goals, seen = pivots(self.g, 2), targets(2), []
        tune(
            self.g, ws, None, goals, squared, BASE, settings=settings(),
            progress=lambda step, distances: seen.append((step, distances)),
        )  # fmt: skip
        assert [step for step, _ in seen] == [0, 1, 2]
        torch.testing.assert_close(seen[0][1], squared(self.g.synthesis(ws), goals))

    def test_a_conditional_generator(self):
        g = make_generator(c_dim=3)
        ws = g.mapping(torch.ones(1, g.z_dim), torch.eye(3)[:1])
        for c in (None, torch.eye(3)[1:2]):
            tune(g, ws, None, targets(1), squared, BASE, c=c,
                 settings=settings(locality_weight=0.1))  # fmt: skip

    def test_a_label_is_refused_without_classes_even_where_nothing_would_read_it(self):
        ws, goals = pivots(self.g, 1), targets(1)
        with pytest.raises(LatentError, match="`c`"):
            tune(self.g, ws, None, goals, squared, BASE, settings=settings(), c=torch.eye(3)[:1])

    def test_what_does_not_fit_is_refused(self):
        ws, goals = pivots(self.g, 2), targets(2)
        with pytest.raises(LatentError, match="`ws`"):
            tune(self.g, ws[:1], None, goals, squared, BASE, settings=settings())
        with pytest.raises(ImageError, match=r"\[N, 3, 16, 16\]"):
            tune(self.g, ws, None, goals[..., :8], squared, BASE, settings=settings())
        with pytest.raises(SettingsError, match="`batch`"):
            tune(self.g, ws, None, goals, squared, BASE, settings=settings(), batch=0)
        with pytest.raises(NumericalError, match="tuning step 0: the loss of image 1"):
            tune(
                self.g, ws, None, goals, lambda a, b: squared(a, b) * torch.tensor([1, torch.nan]),
                BASE, settings=settings(steps=1), batch=2,
            )  # fmt: skip
        for name, value in (("steps", 0), ("seed", -1), ("learning_rate", -1.0),
                            ("l2_weight", float("nan")), ("locality_reach", "a")):  # fmt: skip
            with pytest.raises(SettingsError, match=f"`{name}`"):
                TuningSettings(**{name: value})


class TestFile:
    g = make_generator()

    def test_it_holds_the_change_to_one_part_in_254_of_a_row(self):
        other = moved(self.g)
        tuned = weights(apply_tuning(self.g, difference(self.g, other, BASE, {}), BASE).synthesis)
        for name, weight in other.synthesis.named_parameters():
            change = weight - weights(self.g.synthesis)[name]
            rows = change.reshape(len(change) if change.ndim > 1 else 1, -1)
            bound = rows.abs().amax(dim=1) / 254 + 1e-6
            error = (tuned[name] - weight).reshape(rows.shape).abs().amax(dim=1)
            assert bool((error <= bound).all())

    def test_it_comes_back_the_same_and_is_small(self, tmp_path):
        g = make_generator(channel_max=32, channel_base=1024)
        tuning = difference(g, moved(g), BASE, {"steps": 7, "seed": 1})
        save_tuning(tuning, tmp_path / "tuning.safetensors")
        again = load_tuning(tmp_path / "tuning.safetensors")
        assert (again.base_sha256, again.settings) == (BASE, {"steps": 7, "seed": 1})
        ws = pivots(g, 1)
        first, second = (apply_tuning(g, each, BASE).synthesis(ws) for each in (tuning, again))
        assert torch.equal(first, second)
        whole = sum(weight.numel() * 4 for weight in g.synthesis.parameters())
        assert (tmp_path / "tuning.safetensors").stat().st_size < whole / 3

    def test_weights_that_did_not_change_are_left_out(self):
        other = copy.deepcopy(self.g)
        name, weight = next(iter(other.synthesis.named_parameters()))
        weight.add_(1.0)
        assert list(difference(self.g, other, BASE, {}).changes) == [name]
        nothing = difference(self.g, self.g, BASE, {})
        assert apply_tuning(self.g, nothing, BASE) is not self.g

    def test_another_base_is_refused(self):
        tuning = difference(self.g, moved(self.g), BASE, {})
        with pytest.raises(CheckpointError, match=r"abababababab.*not cdcdcdcdcdcd"):
            apply_tuning(self.g, tuning, "cd" * 32)

    def test_one_that_does_not_fit_is_refused(self):
        small = make_generator(channel_max=4)
        tuning = difference(small, moved(small), BASE, {})
        with pytest.raises(CheckpointError, match="this generator lacks"):
            apply_tuning(self.g, tuning, BASE)
        change, scale = torch.zeros(3, 3, dtype=torch.int8), torch.zeros(3)
        with pytest.raises(CheckpointError, match="'nothing'"):
            apply_tuning(self.g, Tuning({"nothing": (change, scale)}, BASE), BASE)

    def test_damaged_and_foreign_files_are_refused(self, tmp_path):
        path = tmp_path / "tuning.safetensors"
        good = {"a.change": torch.zeros(2, 2, dtype=torch.int8), "a.scale": torch.zeros(2)}
        header = {"format": "latentlab-tuning", "format_version": "1", "base_sha256": BASE}

        def refused(error, named, tensors=good, **changes):
            save_file(tensors, path, {**header, **changes})
            with pytest.raises(error, match=named):
                load_tuning(path)

        save_file(good, path, header)
        assert load_tuning(path).settings == {}
        refused(UnsupportedCheckpoint, "not a tuning", format="latentlab")
        refused(UnsupportedCheckpoint, "format version 2", format_version="2")
        refused(CheckpointError, "not a whole tuning", base_sha256="")
        refused(CheckpointError, "no counterpart", {"a.change": good["a.change"]})
        refused(CheckpointError, "no counterpart", {**good, "b": torch.zeros(1)})
        refused(CheckpointError, "not of the type", {**good, "a.change": torch.zeros(2, 2)})
        refused(CheckpointError, "NaN", {**good, "a.scale": torch.full([2], torch.nan)})
        refused(CheckpointError, "float32", {**good, "a.scale": torch.full([2], 3e38)})
        refused(CheckpointError, "JSON", settings="{")
        refused(CheckpointError, "JSON object", settings=json.dumps([1]))
        path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(CheckpointError, match=r"tuning\.safetensors"):
            load_tuning(path)
        with pytest.raises(CheckpointError, match=r"none\.safetensors"):
            load_tuning(tmp_path / "none.safetensors")


def test_the_bundled_model_is_tuned_to_a_held_out_digit():
    import latentlab
    from latentlab.datasets.digits import digits
    from latentlab.images import pixels_to_tensor
    from latentlab.projection.search import render

    opened = latentlab.load("builtin:digits-stylegan2")
    g, distance = opened.generator, latentlab.perceptual_distance("builtin:digits")
    image = pixels_to_tensor(digits("held-out")[0][:1], g.channels)
    found = latentlab.project(g, image, distance, steps=20)
    tuning = tune(
        g, found.ws, found.noise, image, distance, opened.sha256, settings=TuningSettings(steps=15)
    )
    tuned = apply_tuning(g, tuning, opened.sha256)
    after = distance(render(tuned, found.ws, found.noise), image)
    assert after.item() < 0.5 * found.distance.item()
