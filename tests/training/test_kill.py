import random
import subprocess
import sys
import time

import pytest

import latentlab

KILLS = 20


@pytest.mark.slow
def test_j01_the_newest_snapshot_loads_whenever_the_run_is_killed(tmp_path):
    # A snapshot every iteration: nearly all the time goes into writing, where a kill hurts.
    command = [
        sys.executable, "-m", "cli", "train", "--data", "builtin:digits", "--config",
        "stylegan2-small", "--batch", "2", "--snapshot-kimg", "0.002", "-o", str(tmp_path),
    ]  # fmt: skip
    rng = random.Random(0)
    seen = 0
    for _ in range(KILLS):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while images_saved(tmp_path) <= seen and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.wait()
        newest = sorted(tmp_path.glob("snapshot-*.optimizer.safetensors"))[-1]
        snapshot = newest.with_name(newest.name.replace(".optimizer", ""))
        assert latentlab.load(snapshot).discriminator is not None
        assert images_saved(tmp_path) > seen, "the run went on from where it was killed"
        seen = images_saved(tmp_path)


def images_saved(folder):
    files = sorted(folder.glob("snapshot-*.optimizer.safetensors"))
    return int(files[-1].name.split("-")[1].split(".")[0]) if files else 0
