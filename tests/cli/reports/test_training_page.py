"""The page of a training run: it grows with the run, and stays small."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cli.reports import training_page as page
from cli.reports.training import TrainingRun
from latentlab.training.run import RunSettings, train
from tests.training.trainers import BATCH, make_trainer


def run_of(folder, total):
    return TrainingRun("builtin:digits", "stylegan2-small", None, total, folder, "cpu", 0)


@pytest.fixture
def trained(tmp_path):
    """A run of seven steps with a page at every second, and the pages' texts."""
    texts, told = [], run_of(tmp_path, 7 * BATCH)

    def write(trainer, _):
        texts.append(page.write_training_page(trainer, told).read_text(encoding="utf-8"))

    train(make_trainer(), RunSettings(tmp_path, 7 * BATCH, 2 * BATCH), on_snapshot=write)
    return tmp_path, texts


def test_the_page_is_there_from_the_first_snapshot_and_grows(trained):
    folder, texts = trained
    assert len(texts) == 4
    states = [
        "Training: 0.008 kimg of 0.028 (28.6 %).", "Training: 0.016 kimg of 0.028",
        "Training: 0.024 kimg of 0.028", "Finished: 0.028 kimg of 0.028 (100.0 %).",
    ]  # fmt: skip
    assert all(state in text for state, text in zip(states, texts, strict=True))
    for text in texts:
        assert text.count("data:image/png;base64,") == 2  # curves and fakes
        for word in ("stylegan2-small on builtin:digits", "Losses", "Settings", "batch".title()):
            assert word in text
    assert {page.CURVES, page.FAKES, page.PAGE} <= {file.name for file in folder.iterdir()}
    with Image.open(folder / page.FAKES) as picture:
        assert picture.width > 3.5 * picture.height  # four snapshots stand side by side


def grids(folder, numbers, size=64):
    for number in numbers:
        Image.new("RGB", (size, size), (number % 256, 0, 0)).save(
            folder / f"fakes-{number:09d}.png"
        )


def test_at_most_twelve_grids_are_shown_with_the_first_and_the_last(tmp_path):
    grids(tmp_path, range(100, 5100, 100))
    (tmp_path / "fakes-new.png").write_bytes(b"not of a run")
    shown = list(page.shown_grids(tmp_path, 4000))
    assert (len(shown), shown[0], shown[-1]) == (12, 100, 4000)  # later ones were taken back
    assert shown == sorted(shown)
    assert list(page.shown_grids(tmp_path, 300)) == [100, 200, 300]
    assert page.shown_grids(tmp_path, 50) == {}


def test_the_page_stays_small_however_large_the_grids_are(tmp_path):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (2048, 2048, 3), dtype=np.uint8))
    first = tmp_path / "fakes-000000001.png"
    noise.save(first, compress_level=0)
    for number in range(2, 15):
        (tmp_path / f"fakes-{number:09d}.png").hardlink_to(first)
    trainer = make_trainer()
    trainer.dataset.resolution, trainer.images_seen = 256, 14
    text = page.write_training_page(trainer, run_of(tmp_path, 100)).read_bytes()
    assert len(text) < 4 * 2**20, "one grid alone has twelve"


@pytest.mark.parametrize(("resolution", "columns"), [(4, 8), (32, 8), (64, 4), (256, 2), (1024, 2)])
def test_thumbnails_hold_whole_pictures_that_can_be_told_apart(resolution, columns, tmp_path):
    assert page.columns_of(resolution) == columns
    side = min(resolution, 256) * 8
    grids(tmp_path, [1], side)
    thumb = page.thumbnail(tmp_path / "fakes-000000001.png", min(resolution, 256))
    assert max(thumb.size) <= 256


def test_a_damaged_grid_is_left_out(tmp_path):
    grids(tmp_path, [8, 16])
    (tmp_path / "fakes-000000008.png").write_bytes(b"")
    trainer = make_trainer()
    trainer.images_seen = 16
    page.write_training_page(trainer, run_of(tmp_path, 16))
    assert (tmp_path / page.FAKES).exists()


def test_curves_have_no_empty_axes_and_long_logs_few_points():
    count = 12_345
    rows = pd.DataFrame({
        "images": np.arange(count) * 32, "images_per_second": 1.0, "g_loss": 1.0, "d_loss": 2.0,
        "path_length": np.nan, "r1_penalty": np.where(np.arange(count) % 2, np.nan, 0.5),
    })  # fmt: skip
    figure = page.curves(rows)
    seen = {axes.get_title(): axes for axes in figure.axes if axes.get_visible()}
    assert list(seen) == ["losses", "R1 penalty"]
    labels = [text.get_text() for text in seen["losses"].get_legend().get_texts()]
    assert labels == ["generator", "discriminator"]
    for axes in seen.values():
        for line in axes.lines:
            assert 400 <= len(line.get_xdata()) <= 500
    assert float(seen["R1 penalty"].lines[0].get_ydata()[0]) == 0.5
