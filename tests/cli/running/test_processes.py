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
from latentlab.datasets.digits import digits
from latentlab.datasets.pictures import PictureDataset
from latentlab.training.samplers import RealSampler
from metrics import sampling
from tests.support.torchrun import facts_in, finish, start

PPL = ["ppl", "builtin:digits-stylegan2", "--distance", "builtin:digits", "--samples", "256"]
SEPARABILITY = ["separability", "builtin:digits-stylegan2", "--samples", "160",
                "--classifier", "builtin:digits-classifier"]  # fmt: skip
TRAIN = ["train", "--data", "builtin:digits", "--config", "stylegan2-small", "--channels", "1",
         "--batch", "8", "--device", "cpu"]  # fmt: skip
QUICK = [*TRAIN, "--config", "stylegan1-small"]  # small pictures to begin with
UNEQUAL = ["seconds", "images_per_second"]

# The first command fails in the second process, in its second batch of two, while both live on:
# the first must not wait for a group that is no more. The last one fails again, and ends the job.
SCRIPT = f"""
import json, os, pathlib, sys
from click.testing import CliRunner
from cli.main import main
from latentlab import NumericalError
from metrics import sampling

folder, computed = pathlib.Path(sys.argv[1]), sampling._computed

def run(*arguments):
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr

def fail(compute, samples):
    if samples.start == 192:
        raise NumericalError("planted")
    return computed(compute, samples)

sampling._computed = fail
facts = {{"living": run(*{PPL}, "-o", folder / "living")}}
sampling._computed = computed
facts |= {{
    "missing": run("ppl", folder / "missing.pkl", "-o", folder / "missing"),
    "ppl": run(*{PPL}, "-o", folder / "ppl"),
    "separability": run(*{SEPARABILITY}, "-o", folder / "separability"),
    "dry": run(*{TRAIN}, "--dry-run", "--json", "-o", folder / "dry"),
    "odd": run(*{TRAIN}, "--batch", 9, "-o", folder / "odd"),
    "train": run(*{TRAIN}, "--kimg", 0.016, "-o", folder / "train"),
    "continued": run(*{TRAIN}, "--kimg", 0.016, "-o", folder / "begun"),
}}
(folder / f"{{os.environ['RANK']}}.json").write_text(json.dumps(facts))
sampling._computed = fail
main([*{PPL}, "-o", str(folder / "failed")])
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
def failure(folder):
    """Exit code and stderr of all that two processes did."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    return finish(start(script, folder, stderr=-1))


@pytest.fixture(scope="module")
def facts(failure, folder):
    """What each command of two processes did, by rank: exit code and stderr."""
    return facts_in(folder)


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
    assert said[0].count("100%") == {"ppl": 1, "separability": 2}.get(name, 0)
    assert said[0].count("100.0%") == (label == "training")
    assert said[0].count("Open " if label != "training" else "Saved ") == 1


def test_an_error_of_all_is_told_once(facts):
    assert [each["missing"][0] for each in facts] == [3, 3]
    said = "".join(each["missing"][1] for each in facts)
    assert (said.count("\n"), said.count("no such file")) == (1, 1)


def test_an_error_of_one_process_is_noticed_while_it_lives(facts):
    assert [each["living"][0] for each in facts] == [5, 5]
    said = "".join(each["living"][1] for each in facts)
    assert said.count("Error: ") == said.count("Error: planted (process 1 of 2)\n") == 1


def test_an_error_of_one_process_ends_both_and_keeps_what_is_done(failure, folder, monkeypatch):
    code, said = failure
    assert code == 1  # torchrun's own
    assert said.count("Error: ") == said.count("Error: planted (process 1 of 2)\n") + 1, said
    assert said.count("ChildFailedError: ") == 1
    assert "exitcode  : 5" in said
    left = sorted(file.name for file in (folder / "failed").iterdir())
    assert [name for name in left if name != ".lock"] == [left[-1]]
    assert left[-1].startswith(".partial-")
    assert not list((folder / "failed" / left[-1]).glob(".tmp-*"))

    calls, computed = [], sampling._computed
    monkeypatch.setattr(
        sampling, "_computed", lambda c, samples: calls.append(samples) or computed(c, samples)
    )
    assert run(*PPL, "-o", folder / "failed").exit_code == 0
    assert calls == [range(192, 256)], "three of four batches were kept"
    reports = [pd.read_csv(folder / name / "report.csv") for name in ("one/ppl", "failed")]
    pd.testing.assert_frame_equal(*(frame.drop(columns="seconds") for frame in reports))


def test_the_settings_are_printed_once_and_bad_ones_refused(facts, folder):
    assert [each["dry"][0] for each in facts] == [0, 0]
    assert [each["odd"][0] for each in facts] == [2, 2]
    said = "".join(each["odd"][1] for each in facts)
    assert said.count("--batch 9 cannot be dealt out to 2 processes evenly") == 1
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
    """The picture is the second process's in the second step, and not in the grid of reals."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, pixels in enumerate(digits("held-out")[0]):
        Image.fromarray(pixels).save(photos / f"{i:03d}.png")
    order = RealSampler(PictureDataset(photos, channels=1), 0, False)
    bad = next(order._index(place) for place in (9, 11, 13, 15) if order._index(place) >= 64)
    (photos / f"{bad:03d}.png").write_bytes(b"no picture")
    process = start("-m", "cli", *QUICK, "--data", photos, "--kimg", "1000", "-o", tmp_path / "run",
                    stderr=-1)  # fmt: skip
    code, said = finish(process)
    assert code == 1  # torchrun's own
    assert said.count(f"{bad:03d}.png") == 1, said
    assert "(process 1 of 2)\n" in said
    assert (tmp_path / "run" / "snapshot-000000008.optimizer.safetensors").exists()
    assert "exitcode  : 4" in said


@pytest.mark.slow
def test_a_signal_stops_both_at_one_step(tmp_path):
    process = start("-m", "cli", *QUICK, "--kimg", "1000", "-o", tmp_path, stderr=-1)
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
