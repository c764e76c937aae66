"""H.264 by the ffmpeg that the package imageio-ffmpeg brings (the extra ``latentlab[video]``)."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from latentlab.errors import OutputError, SettingsError

_FINEST = 1001  # denominator of a rate: 30000/1001 is one
# x264's bytes depend on the number of threads; the rate factor keeps the edges of pixels sharp.
_X264 = ("-c:v", "libx264", "-threads", "4", "-crf", "14", "-pix_fmt", "yuv420p")
_COLOURS = (
    "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709",
    "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
)  # fmt: skip
# No versions or dates inside; the table of frames in front, so that players begin at once.
_CONTAINER = (
    "-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart", "-f", "mp4",
)  # fmt: skip


def ffmpeg_program() -> str:
    """Return the path of ffmpeg.

    Raises:
        SettingsError: If there is none.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:  # the package, or a program for it
        raise SettingsError(
            f".mp4 needs ffmpeg, which cannot be found ({error}); pip install latentlab[video], "
            "or write a .gif"
        ) from error


class FfmpegWriter:
    """Feeds pictures of one size to ffmpeg, which writes an .mp4; ``where`` is for messages.

    The first picture starts it. Sides are made even, as yuv420p halves them, by repeating the last
    row or column.
    """

    def __init__(self, file: Path, fps: float, where: str, talk: IO[bytes]) -> None:
        self._file, self._fps, self._where, self._talk = file, fps, where, talk
        self._process: subprocess.Popen[bytes] | None = None

    def append(self, picture: Image.Image) -> None:
        """Encode a picture, grey or RGB.

        Raises:
            OutputError: If ffmpeg has ended; the message says why.
        """
        pixels = np.asarray(picture.convert("RGB"))
        height, width = pixels.shape[:2]
        pixels = np.pad(pixels, [(0, height % 2), (0, width % 2), (0, 0)], "edge")
        if self._process is None:
            self._process = self._start(*pixels.shape[:2])
        try:
            self._process.stdin.write(pixels.tobytes())  # type: ignore[union-attr]
        except OSError as error:
            raise self._failure(str(error)) from error

    def finish(self) -> None:
        """Wait for the end of the file.

        Raises:
            OutputError: If ffmpeg could not write it.
        """
        if self._process is None:
            return
        try:
            self._process.communicate()
        except OSError as error:
            raise self._failure(str(error)) from error
        if self._process.returncode:
            raise self._failure(f"exit status {self._process.returncode}")

    def kill(self) -> None:
        """End ffmpeg if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _start(self, height: int, width: int) -> "subprocess.Popen[bytes]":
        rate = str(Fraction(self._fps).limit_denominator(_FINEST))
        pixels = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate)
        target = f"file:{self._file.absolute()}"  # a:b.mp4 would be protocol a, -b an option
        command = [
            ffmpeg_program(), "-y", "-v", "error", *pixels, "-i", "pipe:", *_COLOURS, *_X264,
            *_CONTAINER, target,
        ]  # fmt: skip
        try:
            # In a session of its own, Ctrl-C does not reach it, and we decide what becomes of it.
            return subprocess.Popen(  # noqa: S603  # our own words and numbers, and no shell
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=self._talk, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise OutputError(f"{self._where}: ffmpeg cannot be started ({error})") from error

    def _failure(self, otherwise: str) -> OutputError:
        if self._process is not None:
            self._process.wait()
        self._talk.seek(0)
        told = self._talk.read().decode(errors="replace").strip().splitlines()
        reason = " ".join((told[-1] if told else otherwise).split())
        return OutputError(
            f"{self._where}: ffmpeg cannot write it ({reason}); free space, or choose another place"
        )


@contextmanager
def ffmpeg_writer(file: Path, fps: float, where: str) -> Iterator[FfmpegWriter]:
    """Yield a FfmpegWriter whose file is whole afterwards; an error on the way ends ffmpeg."""
    with tempfile.TemporaryFile() as talk:
        writer = FfmpegWriter(file, fps, where, talk)
        try:
            yield writer
            writer.finish()
        finally:
            writer.kill()
