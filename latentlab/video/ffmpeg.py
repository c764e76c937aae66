"""H.264 by the ffmpeg that the package imageio-ffmpeg brings (the extra ``latentlab[video]``)."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

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


@contextmanager
def ffmpeg_writer(file: Path, fps: float, where: str) -> Iterator[Callable[[Image.Image], None]]:
    """Yield a function that encodes pictures of one size, grey or RGB, into an .mp4.

    The first picture starts ffmpeg, and an error on the way ends it; otherwise the file is whole
    afterwards. Sides are made even, as yuv420p halves them, by repeating the last row or column.

    Raises:
        OutputError: If ffmpeg cannot write it; the message begins with ``where`` and says why.
    """
    process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def explained() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if process is None:
                raise OutputError(f"{where}: ffmpeg cannot be started ({error})") from error
            process.wait()
            talk.seek(0)
            told = talk.read().decode(errors="replace").strip().splitlines()
            reason = " ".join((told[-1] if told else str(error)).split())
            raise OutputError(
                f"{where}: ffmpeg cannot write it ({reason}); free space, or choose another place"
            ) from error

    def append(picture: Image.Image) -> None:
        nonlocal process
        pixels = np.asarray(picture.convert("RGB"))
        height, width = pixels.shape[:2]
        pixels = np.pad(pixels, [(0, height % 2), (0, width % 2), (0, 0)], "edge")
        with explained():
            if process is None:
                # In a session of its own, Ctrl-C does not reach it: we decide what becomes of it.
                process = subprocess.Popen(  # noqa: S603  # our own words, and no shell
                    _command(file, fps, *pixels.shape[:2]), stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL, stderr=talk, start_new_session=True,
                )  # fmt: skip
            process.stdin.write(pixels.tobytes())  # type: ignore[union-attr]

    with tempfile.TemporaryFile() as talk:
        try:
            yield append
            with explained():
                if process is not None:
                    process.communicate()
                if process is not None and process.returncode:
                    raise OSError(f"exit status {process.returncode}")
        finally:
            if process is not None:
                process.kill()
                process.communicate()


def _command(file: Path, fps: float, height: int, width: int) -> list[str]:
    rate = str(Fraction(fps).limit_denominator(_FINEST))
    pixels = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate)
    target = f"file:{file.absolute()}"  # a:b.mp4 would be protocol a, -b an option
    return [
        ffmpeg_program(), "-y", "-v", "error", *pixels, "-i", "pipe:", *_COLOURS, *_X264,
        *_CONTAINER, target,
    ]  # fmt: skip
