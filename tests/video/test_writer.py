"""Videos are read back by ffmpeg and by Pillow: number, order, size, colours and timing."""

import os
import re
import signal
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import ImageError, NumericalError, OutputError, SettingsError
from latentlab.images import from_uint8, to_uint8
from latentlab.video import ffmpeg
from latentlab.video.writer import check_video, video_writer

CODEC = 6  # grey levels: H.264 at this rate factor, and YUV with 8 bits; measured 3


def flat(*colour: int, side: int = 32) -> torch.Tensor:
    """A frame of one colour in 0..255."""
    values = from_uint8(torch.tensor(colour, dtype=torch.uint8))
    return values[:, None, None].expand(-1, side, side)


def quarters(side: int = 32) -> torch.Tensor:
    """A frame whose quarters are black, red, green and blue."""
    image = torch.full((3, side, side), -1.0)
    half = side // 2
    image[0, :half, half:] = image[1, half:, :half] = image[2, half:, half:] = 1
    return image


def written(path, frames, fps=30.0):
    with video_writer(path, fps) as write:
        for frame in frames:
            write(frame)
    return path


def read_mp4(path):
    """What ffmpeg says of a video, and its frames [H,W,3]."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run([program, "-i", str(path), *raw], capture_output=True, check=True)
    facts = next(line for line in done.stderr.decode().splitlines() if "Video: h264" in line)
    width, height = map(int, re.search(r", (\d+)x(\d+)", facts).groups())
    return facts, np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def read_gif(path):
    with Image.open(path) as picture:
        facts, frames = [], []
        for i in range(picture.n_frames):
            picture.seek(i)
            facts.append(dict(picture.info))
            frames.append(np.asarray(picture.convert("RGB")))
    return facts, frames


def test_mp4_keeps_frames_in_order_with_their_colours(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (128, 128, 128), (255, 255, 255)]
    facts, frames = read_mp4(written(tmp_path / "a.mp4", [flat(*c) for c in colours], fps=10))
    assert len(frames) == 5
    assert "yuv420p(tv, bt709" in facts
    assert " 10 fps" in facts
    for frame, colour in zip(frames, colours, strict=True):
        assert frame.shape == (256, 256, 3)
        assert np.abs(frame.astype(int) - colour).max() <= CODEC


def test_gif_keeps_frames_in_order_with_their_colours_and_loops(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (128, 128, 128)]
    facts, frames = read_gif(written(tmp_path / "a.gif", [flat(*c) for c in colours], fps=10))
    assert len(frames) == 4
    assert [each["duration"] for each in facts] == [100] * 4
    assert all(each["loop"] == 0 for each in facts)
    for frame, colour in zip(frames, colours, strict=True):
        assert frame.shape == (256, 256, 3)
        assert (frame == colour).all()


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_directions_in_the_picture_are_kept(tmp_path, suffix):
    path = written(tmp_path / f"a{suffix}", [quarters()])
    frame = (read_mp4 if suffix == ".mp4" else read_gif)(path)[1][0].astype(int)
    wanted = to_uint8(quarters(256)).permute(1, 2, 0).numpy()
    # 4:2:0 blurs colours over an edge by a pixel or two.
    inside = np.ones((256, 256), bool)
    inside[124:132] = inside[:, 124:132] = False
    assert np.abs(frame - wanted)[inside].max() <= CODEC


def test_grey_gifs_are_exact(tmp_path):
    ramp = from_uint8(torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16))
    frames = read_gif(written(tmp_path / "a.gif", [ramp, -ramp]))[1]
    for frame, image in zip(frames, [ramp, -ramp], strict=True):
        wanted = to_uint8(image)[0].numpy().repeat(16, 0).repeat(16, 1)
        assert (frame == wanted[:, :, None]).all()


def test_gif_colours_of_a_smooth_picture_are_near(tmp_path):
    x = torch.linspace(-1, 1, 256)
    image = torch.stack([x.expand(256, 256), x[:, None].expand(256, 256), -x.expand(256, 256)])
    frame = read_gif(written(tmp_path / "a.gif", [image]))[1][0].astype(int)
    error = np.abs(frame - to_uint8(image).permute(1, 2, 0).numpy())
    assert error.mean() < 6  # 256 of 65,536 colours: a square of 16x16 levels each


def test_gif_delays_add_up_to_the_true_time(tmp_path):
    facts, _ = read_gif(written(tmp_path / "a.gif", [flat(i) for i in range(31)], fps=30))
    delays = [each["duration"] for each in facts]
    assert set(delays) == {30, 40}
    assert sum(delays) == 1030  # 31 frames of 1/30 s, to the nearest 1/100


@pytest.mark.parametrize(("shape", "size"), [
    ((3, 32, 66), (256, 528)), ((1, 33, 33), (264, 264)), ((3, 300, 300), (300, 300)),
    ((3, 257, 301), (257, 301)), ((1, 100, 31), (900, 279)),
])  # fmt: skip
def test_small_frames_grow_by_whole_factors_and_sides_become_even(tmp_path, shape, size):
    frame = torch.full(shape, 0.25)
    assert read_gif(written(tmp_path / "a.gif", [frame]))[1][0].shape[:2] == size
    _, frames = read_mp4(written(tmp_path / "a.mp4", [frame]))
    assert frames[0].shape[:2] == tuple(side + side % 2 for side in size)
    assert np.abs(frames[0].astype(int) - int(to_uint8(frame).max())).max() <= CODEC  # no border


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_the_same_frames_give_the_same_bytes(tmp_path, suffix):
    frames = [torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(i)) for i in range(5)]
    first, second = (written(tmp_path / f"{name}{suffix}", frames) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["a:b.mp4", "-y.mp4", "%d ä.MP4", "a b.GIF"])
def test_names_are_names_alone(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    written(name, [flat(1)])
    assert os.listdir() == [name]
    assert (read_mp4 if name.lower().endswith("4") else read_gif)(tmp_path / name)[1][0].any()


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
@pytest.mark.parametrize(("frames", "error", "words"), [
    ([], OutputError, "a video needs at least one frame"),
    ([flat(1), flat(1, side=16)], ImageError, "a frame is [1, 16, 16], but the first was"),
    ([flat(1), flat(1, 2, 3)], ImageError, "a frame is [3, 32, 32]"),
    ([flat(1), flat(1) * torch.nan], NumericalError, "NaN"),
    ([flat(1)[0]], ImageError, "1, 3 or 4 channels"),
])  # fmt: skip
def test_a_failure_leaves_the_file_that_was_there(tmp_path, suffix, frames, error, words):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"before")
    with pytest.raises(error, match=words.replace("[", r"\[")):
        written(path, frames)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(("name", "fps", "words"), [
    ("a.avi", 30, "suffix must be one of .mp4, .gif"), ("a", 30, "suffix"),
    ("a.gif", 60, "1 to 50 for .gif, but got 60"), ("a.mp4", 0.5, "1 to 240"),
    ("a.mp4", float("nan"), "1 to 240"),
])  # fmt: skip
def test_what_cannot_be_written_is_told_before_the_first_frame(tmp_path, name, fps, words):
    with pytest.raises(SettingsError, match=words):
        check_video(tmp_path / name, fps)
    with pytest.raises(SettingsError, match=words), video_writer(tmp_path / name, fps):
        pass
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_told_with_what_to_install_and_gif_needs_none(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(SettingsError, match=r"pip install latentlab\[video\]"):
        check_video("a.mp4")
    assert len(read_gif(written(tmp_path / "a.gif", [flat(1)]))[1]) == 1


@pytest.fixture
def started(monkeypatch):
    """The processes that have been started."""
    processes, popen = [], subprocess.Popen

    def remembered(*arguments, **options):
        processes.append(popen(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(ffmpeg.subprocess, "Popen", remembered)
    return processes


@pytest.mark.parametrize(("frames_after", "reason"), [(1, "Broken pipe"), (0, "exit status -9")])
def test_a_killed_ffmpeg_ends_in_an_error(tmp_path, started, frames_after, reason):
    def frames():
        yield flat(1)
        os.kill(started[0].pid, signal.SIGKILL)
        started[0].wait()
        yield from [flat(1)] * frames_after

    with pytest.raises(OutputError, match=f"ffmpeg cannot write it .*{reason}"):
        written(tmp_path / "a.mp4", frames())
    assert not list(tmp_path.iterdir())


def test_an_interruption_ends_ffmpeg(tmp_path, started):
    def frames():
        yield flat(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a.mp4", frames())
    assert started[0].returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, suffix):
    code = """
import resource, signal, sys, torch
from latentlab.errors import OutputError
from latentlab.video import video_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
rng = torch.Generator().manual_seed(0)
try:
    with video_writer(sys.argv[1]) as write:
        for _ in range(40):
            write(torch.rand(3, 64, 64, generator=rng) * 2 - 1)
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / f"a{suffix}")], capture_output=True, text=True
    )
    assert f"a{suffix}" in done.stdout, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert not list(tmp_path.iterdir())
