import json
import shutil

import pandas as pd
import pytest
import torch

import latentlab
from latentlab import CheckpointError, ImageError, SettingsError
from latentlab.tensor_files import read_safetensors, write_safetensors
from latentlab.training import snapshots
from latentlab.training.log import TrainingLog
from latentlab.training.run import RunSettings, train
from tests.training.trainers import BATCH, make_trainer, weights

SPEED = ["images_per_second"]  # the one column of the log that two runs do not share


def run(folder, steps, snapshot_steps=2, trainer=None, **options):
    trainer = trainer or make_trainer()
    settings = RunSettings(folder, steps * BATCH, snapshot_steps * BATCH)
    return trainer, train(trainer, settings, **options)


@pytest.fixture
def short_log(monkeypatch):
    """A row every three iterations, so that snapshots fall between rows."""
    monkeypatch.setattr("latentlab.training.run._LOG_SPAN", 3)


@pytest.mark.usefixtures("short_log")
class TestResuming:
    @pytest.mark.parametrize("stop_at", [1, 4, 6])
    def test_j06_a_stopped_run_continues_to_the_same_bits(self, stop_at, tmp_path):
        straight, _ = run(tmp_path / "straight", 7)
        first, _ = run(tmp_path / "parts", 7, should_stop=lambda: first_done(tmp_path, stop_at))
        assert first.step == stop_at
        second, _ = run(tmp_path / "parts", 7)
        assert second.step == straight.step == 7
        for a, b in zip(weights(second), weights(straight), strict=True):
            assert torch.equal(a, b)
        logs = [
            pd.read_csv(tmp_path / n / "log.csv").drop(columns=SPEED) for n in ("parts", "straight")
        ]
        pd.testing.assert_frame_equal(*logs)
        moments = [t.g_optimizer.state_dict()["state"] for t in (second, straight)]
        for key in moments[0]:
            for name, value in moments[0][key].items():
                assert torch.equal(value, moments[1][key][name])
        assert torch.equal(second.mean_path_length, straight.mean_path_length)

    # Iterations 1 and 2 are at 8x8, 3 and 4 blend to 16x16, then the optimisers are reset, ...
    @pytest.mark.parametrize("stop_at", [1, 2, 3, 4, 6, 8, 12, 18])
    @pytest.mark.parametrize("name", ["stylegan1-small", "progan-small", "stylegan2-d",
                                      "stylegan1-b"])  # fmt: skip
    def test_j06_a_growing_run_continues_to_the_same_bits(self, name, stop_at, tmp_path):
        images = 58
        runs = {}
        for part, stop in (("parts", stop_at), ("parts", None), ("straight", None)):
            trainer = runs[part] = make_trainer(name=name)
            settings = RunSettings(tmp_path / part, images, 16)
            train(trainer, settings, should_stop=lambda t=trainer, s=stop: t.step == s)
            if stop is not None:
                assert trainer.step == stop
        again, straight = runs["parts"], runs["straight"]
        assert (again.step, again.images_seen) == (straight.step, straight.images_seen) == (19, 58)
        assert again.lod == straight.lod == 0
        for a, b in zip(weights(again), weights(straight), strict=True):
            assert torch.equal(a, b)
        logs = [pd.read_csv(tmp_path / n / "log.csv").drop(columns=SPEED) for n in runs]
        pd.testing.assert_frame_equal(*logs)
        for optimizer in ("g_optimizer", "d_optimizer"):
            first, second = (getattr(t, optimizer).state_dict()["state"] for t in (again, straight))
            assert first.keys() == second.keys()
            for key in first:
                assert all(torch.equal(first[key][m], second[key][m]) for m in first[key])

    def test_a_finished_run_has_nothing_left_to_do(self, tmp_path):
        run(tmp_path, 3)
        before = {file: file.read_bytes() for file in tmp_path.iterdir()}
        trainer, last = run(tmp_path, 3)
        assert last is None
        assert trainer.images_seen == 3 * BATCH
        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before

    def test_a_finished_run_goes_on_when_asked_for_more(self, tmp_path):
        run(tmp_path / "parts", 3)
        longer, _ = run(tmp_path / "parts", 5)
        straight, _ = run(tmp_path / "straight", 5)
        for a, b in zip(weights(longer), weights(straight), strict=True):
            assert torch.equal(a, b)

    def test_j05_a_damaged_newest_snapshot_is_passed_over(self, tmp_path, caplog):
        run(tmp_path, 4)
        newest = sorted(tmp_path.glob("snapshot-*.optimizer.safetensors"))[-1]
        newest.write_bytes(newest.read_bytes()[:1000])
        trainer, _ = run(tmp_path, 5)
        assert "passed over" in caplog.text
        (aside,) = tmp_path.glob("*.damaged")
        assert aside.name == f"{newest.name}.damaged"
        straight, _ = run(tmp_path / "straight", 5)
        for a, b in zip(weights(trainer), weights(straight), strict=True):
            assert torch.equal(a, b)

    def test_j05_who_looks_only_leaves_damaged_snapshots_in_their_place(self, tmp_path):
        trainer, _ = run(tmp_path, 4)
        newest = sorted(tmp_path.glob("snapshot-*.optimizer.safetensors"))[-1]
        newest.write_bytes(newest.read_bytes()[:1000])
        before = sorted(tmp_path.iterdir())
        snapshots.resume(trainer, tmp_path, look_only=True)
        assert sorted(tmp_path.iterdir()) == before

    @pytest.mark.parametrize("text", ["", "images\na", "\0" * 9, "step,loss\n1,2\n"])
    def test_j05_a_damaged_log_is_set_aside(self, text, tmp_path, caplog):
        run(tmp_path, 2)
        (tmp_path / "log.csv").write_text(text)
        trainer, _ = run(tmp_path, 3)
        assert trainer.step == 3
        assert "the log begins anew" in caplog.text
        assert (tmp_path / "log.csv.damaged").read_text() == text

    @pytest.mark.parametrize("log", ["[]", "{}", '{"span": "a"}', '{"span": 3, "sums": 1}', "null",
                                     '{"span": 3, "sums": {"a": 1}, "seconds": 1, '
                                     '"images_before": 0}'])  # fmt: skip
    def test_j05_a_damaged_row_in_progress_is_a_damaged_snapshot(self, log, tmp_path, caplog):
        run(tmp_path, 2, snapshot_steps=1)
        newest = sorted(tmp_path.glob("snapshot-*.optimizer.safetensors"))[-1]
        header, tensors = read_safetensors(newest)
        write_safetensors({n: t.clone() for n, t in tensors.items()}, newest, header | {"log": log})
        trainer, _ = run(tmp_path, 3, snapshot_steps=1)
        assert "passed over" in caplog.text
        assert trainer.step == 3

    def test_only_damaged_snapshots_are_an_error(self, tmp_path):
        run(tmp_path, 2)
        for file in tmp_path.glob("snapshot-*"):
            file.write_bytes(b"")
        with pytest.raises(CheckpointError, match="none of its snapshots"):
            run(tmp_path, 3)

    def test_a_snapshot_with_a_missing_moment_is_passed_over(self, tmp_path, caplog):
        from safetensors.torch import save_file

        from latentlab.tensor_files import read_safetensors

        run(tmp_path, 4)
        newest = sorted(tmp_path.glob("*.optimizer.safetensors"))[-1]
        header, tensors = read_safetensors(newest)
        del tensors[next(key for key in tensors if key.endswith("exp_avg"))]
        save_file(tensors, newest, header)
        run(tmp_path, 5)
        assert "exp_avg' is missing" in caplog.text

    def test_a_snapshot_with_a_moment_of_another_shape_is_passed_over(self, tmp_path, caplog):
        """The fused Adam would read beyond its end."""
        from safetensors.torch import save_file

        from latentlab.tensor_files import read_safetensors

        run(tmp_path, 4)
        newest = sorted(tmp_path.glob("*.optimizer.safetensors"))[-1]
        header, tensors = read_safetensors(newest)
        key = next(key for key in tensors if key.endswith("weight.exp_avg_sq"))
        tensors[key] = tensors[key].flatten()[:1].clone()
        save_file(tensors, newest, header)
        run(tmp_path, 5)
        assert "weight.exp_avg_sq has shape [1], not [" in caplog.text

    def test_a_picture_that_goes_bad_ends_the_run_where_it_can_continue(self, tmp_path):
        trainer = make_trainer()
        good = trainer.dataset.image
        position = int(trainer.reals._index(2 * BATCH))

        def bad(index):
            if index == position:
                raise ImageError("x.png: truncated")
            return good(index)

        trainer.dataset.image = bad
        with pytest.raises(ImageError, match=r"x\.png"):
            run(tmp_path / "parts", 4, trainer=trainer)
        again, _ = run(tmp_path / "parts", 4)
        straight, _ = run(tmp_path / "straight", 4)
        for a, b in zip(weights(again), weights(straight), strict=True):
            assert torch.equal(a, b)

    def test_a_snapshot_without_its_optimiser_is_never_continued_from(self, tmp_path):
        run(tmp_path, 4)
        sorted(tmp_path.glob("*.optimizer.safetensors"))[-1].unlink()
        trainer, _ = run(tmp_path, 4)
        straight, _ = run(tmp_path / "straight", 4)
        for a, b in zip(weights(trainer), weights(straight), strict=True):
            assert torch.equal(a, b)

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"seed": 1}, "seed: 0 there, 1 here"),
            ({"r1_gamma": 3.0}, "r1_gamma"),
            ({"labels": True}, "c_dim"),
        ],
    )
    def test_j16_a_run_with_other_settings_is_refused_and_named(self, changes, named, tmp_path):
        run(tmp_path, 2)
        with pytest.raises(SettingsError, match=named):
            run(tmp_path, 3, trainer=make_trainer(**changes))

    def test_j02_stray_temporary_files_are_ignored(self, tmp_path):
        run(tmp_path, 2)
        (tmp_path / ".tmp-abc.safetensors").write_bytes(b"half")
        trainer, _ = run(tmp_path, 3)
        assert trainer.step == 3


def first_done(folder, stop_at):
    """Stop once ``stop_at`` iterations are done: asked once after each."""
    counter = folder / "asked"
    asked = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(asked))
    return asked == stop_at


def test_files_of_a_run(tmp_path):
    called = []
    trainer, last = run(tmp_path, 5, on_snapshot=lambda _, path: called.append(path.name))
    names = {file.name for file in tmp_path.iterdir()}
    expected = ["snapshot-000000008", "snapshot-000000016", "snapshot-000000020"]
    assert called == [f"{name}.safetensors" for name in expected]
    assert last.name == called[-1]
    assert {f"{name}.safetensors" for name in expected} <= names
    kept = {f"{name}.optimizer.safetensors" for name in expected[1:]}
    assert {name for name in names if "optimizer" in name} == kept
    assert {"reals.png", "fakes-000000020.png"} <= names
    assert not [name for name in names if name.startswith(".tmp")]
    ckpt = latentlab.load(last)
    assert ckpt.metadata["training"]["images"] == 20
    for loaded, own in (
        (ckpt.generator, trainer.ema_generator),
        (ckpt.raw_generator, trainer.generator),
        (ckpt.discriminator, trainer.discriminator),
    ):
        for key, value in own.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], value)


def test_j02_what_a_kill_has_left_is_removed_by_the_same_run(tmp_path):
    """A kill between a snapshot and the end of a run leaves an optimiser too many, and stumps."""
    run(tmp_path, 5)
    left = {file.name for file in tmp_path.iterdir()}
    newest = sorted(tmp_path.glob("*.optimizer.safetensors"))[-1]
    shutil.copy(newest, tmp_path / "snapshot-000000008.optimizer.safetensors")
    (tmp_path / ".tmp-0123.safetensors").write_bytes(b"a stump")
    (tmp_path / ".tmp-4567").mkdir()
    run(tmp_path, 5)
    assert {file.name for file in tmp_path.iterdir()} == left


@pytest.mark.usefixtures("short_log")
def test_log_rows_are_means_over_their_span(tmp_path):
    seen = []
    run(tmp_path, 6, on_step=lambda _, losses: seen.append(losses))
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["images"].tolist() == [12, 24]
    for row, span in ((0, seen[:3]), (1, seen[3:])):
        for name in ("g_loss", "d_loss", "r1_penalty", "path_length"):
            values = [losses[name] for losses in span if name in losses]
            assert log[name][row] == pytest.approx(sum(values) / len(values))


@pytest.mark.usefixtures("short_log")
def test_the_log_is_there_in_the_first_minute_and_at_every_snapshot(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 25))  # seconds at each look: at the third step a minute is over
    monkeypatch.setattr("latentlab.training.run.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("latentlab.training.run._LOG_SPAN", 100)
    found = []

    def look(*_):
        log = tmp_path / "log.csv"
        found.append(pd.read_csv(log)["images"].tolist() if log.exists() else None)

    run(tmp_path, 5, snapshot_steps=4, on_step=look)
    assert found == [None, None, [12], [12], [16]]
    assert pd.read_csv(tmp_path / "log.csv")["images"].tolist() == [20]


def test_a_run_whose_first_picture_is_bad_has_no_log_and_continues(tmp_path):
    trainer = make_trainer()

    def bad(index):
        if index == int(trainer.reals._index(0)):
            raise ImageError("x.png: truncated")
        return type(trainer.dataset).image(trainer.dataset, index)

    trainer.dataset.image = bad
    with pytest.raises(ImageError, match=r"x\.png"):
        run(tmp_path, 2, trainer=trainer)
    assert not (tmp_path / "log.csv").exists()
    run(tmp_path, 2)
    assert len(pd.read_csv(tmp_path / "log.csv")) == 1


@pytest.mark.usefixtures("short_log")
def test_j18_the_row_in_progress_is_replaced_when_the_run_goes_on(tmp_path):
    run(tmp_path, 4)
    assert pd.read_csv(tmp_path / "log.csv")["images"].tolist() == [12, 16]
    run(tmp_path, 6)
    assert pd.read_csv(tmp_path / "log.csv")["images"].tolist() == [12, 24]


def test_it_is_told_where_a_run_begins(tmp_path):
    begun = []
    for steps in (2, 5, 5):
        run(tmp_path, steps, on_start=lambda trainer: begun.append(trainer.images_seen))
    assert begun == [0, 2 * BATCH, 5 * BATCH]


def test_a_snapshot_header_is_plain_json(tmp_path):
    from safetensors import safe_open

    _, last = run(tmp_path, 2)
    with safe_open(str(last).replace(".safetensors", ".optimizer.safetensors"), "pt") as file:
        header = file.metadata()
    assert json.loads(header["training"])["seed"] == 0
    assert json.loads(header["log"])["span"] > 0


def test_a_copied_run_folder_continues(tmp_path):
    run(tmp_path / "a", 2)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    trainer, _ = run(tmp_path / "b", 3)
    assert trainer.step == 3


@pytest.mark.usefixtures("short_log")
def test_the_log_of_a_growing_run_says_how_far_it_is(tmp_path):
    train(make_trainer(name="stylegan1-small"), RunSettings(tmp_path, 44, 1000))
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["images"].tolist() == [20, 32, 38, 44]
    assert log["lod"].tolist() == pytest.approx([4 / 3, 1, 1 / 3, 0])
    assert (log["images_per_second"] > 0).all()


def test_the_log_of_other_runs_says_nothing_of_growth(tmp_path):
    run(tmp_path, 32)
    assert "lod" not in pd.read_csv(tmp_path / "log.csv").columns


def test_speed_counts_the_images_of_the_row():
    log = TrainingLog(2)
    for step, (images, seconds) in enumerate([(8, 1), (16, 1), (18, 0.5), (20, 0.5)], start=1):
        log.add(step, images, {}, seconds)
    assert [row["images_per_second"] for row in log.rows] == [8, 4]


def test_a_growing_run_draws_enlarged_pictures(tmp_path):
    import numpy as np
    from PIL import Image

    train(make_trainer(name="stylegan1-small"), RunSettings(tmp_path, 8, 1000))
    with Image.open(tmp_path / "fakes-000000008.png") as grid:
        pixels = np.asarray(grid)
    assert pixels.shape[:2] == (8 * 32, 8 * 32)
    small = pixels[::4, ::4]
    assert (pixels == small.repeat(4, axis=0).repeat(4, axis=1)).all()
    assert len(np.unique(small)) > 8


@pytest.mark.parametrize("name", ["stylegan1-small", "progan-small", "stylegan2-d"])
def test_snapshots_of_growing_networks_open(name, tmp_path):
    trainer = make_trainer(name=name)
    last = train(trainer, RunSettings(tmp_path, 22, 1000))
    checkpoint = latentlab.load(last)
    assert checkpoint.generator.synthesis.lod == checkpoint.discriminator.lod == 1
    z = torch.randn(2, 4)
    assert torch.equal(checkpoint.generator(z), trainer.ema_generator(z))
