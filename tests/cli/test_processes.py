"""Commands in two processes that torchrun starts: the results of one."""

import signal
import time

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from latentlab.digits import digits
from latentlab.training.data import PictureDataset, RealSampler
from tests.torchrun import facts_of_two, finish, start

PPL = ["ppl", "builtin:digits-stylegan2", "--distance", "builtin:digits", "--samples", "256"]
SEPARABILITY = ["separability", "builtin:digits-stylegan2", "--samples", "160",
                "--classifier", "builtin:digits-classifier"]  # fmt: skip
TRAIN = ["train", "--data", "builtin:digits", "--config", "stylegan2-small", "--channels", "1",
         "--batch", "8", "--device", "cpu"]  # fmt: skip
UNEQUAL = ["seconds", "images_per_second"]

SCRIPT = f"""
import json, pathlib, sys
from click.testing import CliRunner
from cli.main import main
from latentlab import NumericalError, distributed
from metrics import sampling

folder, computed, calls = pathlib.Path(sys.argv[1]), sampling._computed, []

def run(*arguments):
    calls.clear()
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    with distributed.joined():
        rank = distributed.rank()  # both are done
    return done.exit_code, done.stderr, rank, len(calls)

def count(compute, samples):
    calls.append(samples)
    if calls[-1].start == 192 and not (folder / "broken").exists():
        (folder / "broken").touch()
        raise NumericalError("planted")
    return computed(compute, samples)

sampling._computed = count
facts = {{"missing": run("ppl", folder / "missing.pkl", "-o", folder / "missing")}}
facts["failed"] = run(*{PPL}, "-o", folder / "ppl")
facts["left"] = sorted(file.name for file in (folder / "ppl").iterdir())
facts["ppl"] = run(*{PPL}, "-o", folder / "ppl")
facts["separability"] = run(*{SEPARABILITY}, "-o", folder / "separability")
facts["dry"] = run(*{TRAIN}, "--dry-run", "-o", folder / "dry")
facts["odd"] = run(*{TRAIN}, "--batch", 9, "-o", folder / "odd")
facts["train"] = run(*{TRAIN}, "--kimg", 0.016, "-o", folder / "train")
facts["continued"] = run(*{TRAIN}, "--kimg", 0.016, "-o", folder / "begun")
rank = facts["train"][2]
(folder / f"{{rank}}.json").write_text(json.dumps(facts))
"""


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of one process, below "one", and of two."""
    folder = tmp_path_factory.mktemp("two")
    for command in (PPL, SEPARABILITY, [*TRAIN, "--kimg", "0.016"]):
        assert run(*command, "-o", folder / "one" / command[0]).exit_code == 0
    assert run(*TRAIN, "--kimg", "0.008", "-o", folder / "begun").exit_code == 0
    return folder


@pytest.fixture(scope="module")
def facts(folder):
    """What two processes did, by rank: exit code, stderr, rank, batches computed."""
    return facts_of_two(SCRIPT, folder)


def weights(path):
    networks = latentlab.load(path).networks
    return [value for name in sorted(networks) for value in networks[name].state_dict().values()]


def nearly_equal(path, other):
    """Compare networks: Adam makes of a difference in rounding at most a step, of 0.002."""
    pairs = list(zip(weights(path), weights(other), strict=True))
    far = sum(int((a - b).abs().gt(1e-4).sum()) for a, b in pairs)
    return far < 1e-3 * sum(a.numel() for a, _ in pairs)


@pytest.mark.parametrize("name", ["ppl", "separability"])
def test_two_processes_write_one_report_with_the_numbers_of_one(name, facts, folder):
    assert [each[name][0] for each in facts] == [0, 0]
    one, two = folder / "one" / name, folder / name
    assert {file.name for file in one.iterdir()} == {file.name for file in two.iterdir()}
    for table in one.glob("*.csv"):
        frames = [pd.read_csv(each / table.name) for each in (one, two)]
        frames = [frame.drop(columns=UNEQUAL, errors="ignore") for frame in frames]
        pd.testing.assert_frame_equal(*frames, check_exact=True)


@pytest.mark.parametrize("name", ["ppl", "separability", "train", "continued"])
def test_one_process_talks(name, facts):
    said = [each[name][1] for each in facts]
    label = {"ppl": "ppl2_wend", "separability": "classifying"}.get(name, "training")
    assert said[1] == ""
    assert said[0].count(f"{label}: ") >= 1
    assert said[0].count("100%") == {"separability": 2}.get(name, 1)
    assert said[0].count("See " if label != "training" else "Saved ") == 1


def test_an_error_of_all_is_told_once(facts):
    assert [each["missing"][0] for each in facts] == [3, 3]
    said = "".join(each["missing"][1] for each in facts)
    assert (said.count("\n"), said.count("no such file")) == (1, 1)


def test_an_error_of_one_process_ends_both_and_keeps_what_is_done(facts):
    assert [each["failed"][0] for each in facts] == [5, 5]
    said = "".join(each["failed"][1] for each in facts)
    assert said.count("Error: planted (process 1 of 2)") == 1
    assert "Traceback" not in said
    for each in facts:
        assert [name for name in each["left"] if not name.startswith(".partial-")] in (
            [],
            [".lock"],
        )
    assert sum(each["ppl"][3] for each in facts) == 1, "of four batches, three were kept"


def test_the_settings_are_printed_once_and_bad_ones_refused(facts, folder):
    assert [each["dry"][0] for each in facts] == [0, 0]
    assert [each["odd"][0] for each in facts] == [2, 2]
    said = "".join(each["odd"][1] for each in facts)
    assert said.count("`batch` 9 cannot be dealt out to 2 processes evenly") == 1
    assert not list(folder.glob("odd/*"))


@pytest.mark.parametrize("name", ["train", "begun"])
def test_two_processes_train_and_continue_like_one(name, facts, folder):
    assert facts[0]["train"][0] == facts[0]["continued"][0] == 0
    snapshot = "snapshot-000000016.safetensors"
    one, two = folder / "one" / "train", folder / name
    assert nearly_equal(one / snapshot, two / snapshot)
    shares = [pd.read_csv(each / "contributions.csv") for each in (one, two)]
    last = [frame[frame["images"] == 16]["value"].to_numpy() for frame in shares]
    assert last[1] == pytest.approx(last[0], rel=1e-2)
    assert not [file for file in two.iterdir() if file.name.startswith(".")]


def test_one_process_continues_what_two_began(facts, folder):
    for start_of in (folder / "one" / "train", folder / "train"):
        assert facts
        assert run(*TRAIN, "--kimg", "0.024", "-o", start_of).exit_code == 0
    snapshot = "snapshot-000000024.safetensors"
    assert nearly_equal(folder / "one" / "train" / snapshot, folder / "train" / snapshot)


def test_a_bad_picture_ends_the_job_soon_and_once(tmp_path):
    """The picture is the second process's in the second step."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, pixels in enumerate(digits("held-out")[0][:40]):
        Image.fromarray(pixels).save(photos / f"{i:02d}.png")
    bad = RealSampler(PictureDataset(photos, channels=1), 0, False)._index(8 + 3)
    (photos / f"{bad:02d}.png").write_bytes(b"no picture")
    begun = time.monotonic()
    process = start("-m", "cli", *TRAIN, "--data", photos, "--kimg", "1", "-o", tmp_path / "run",
                    stderr=-1)  # fmt: skip
    code, said = finish(process)
    assert time.monotonic() - begun < 60
    assert code == 1  # torchrun's own
    assert said.count("\nError: ") == said.count(f"{bad:02d}.png") == 1, said
    assert "(process 1 of 2)" in said
    assert (tmp_path / "run" / "snapshot-000000008.optimizer.safetensors").exists()
    assert "exitcode  : 4" in said


def test_a_signal_stops_both_at_one_step(tmp_path):
    process = start("-m", "cli", *TRAIN, "--kimg", "1000", "-o", tmp_path, stderr=-1)
    deadline = time.monotonic() + 60
    while not (tmp_path / "log.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = finish(process)
    assert said.count("Finishing the step") == said.count("Saved ") == 1, said
    (saved,) = tmp_path.glob("snapshot-*.optimizer.safetensors")
    images = int(saved.name.split("-")[1].split(".")[0])
    assert images % 8 == 0
    loaded = latentlab.load(tmp_path / f"snapshot-{images:09d}.safetensors")
    assert all(torch.isfinite(value).all() for value in loaded.generator.state_dict().values())
