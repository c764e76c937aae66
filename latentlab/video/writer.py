"""Writing videos frame by frame: .mp4 (H.264, by the extra ``latentlab[video]``) and .gif.

One frame at a time is in memory, and the file appears whole or not at all. Small pictures are
enlarged by repeated pixels, as players would blur them.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor

from latentlab.checks import check
from latentlab.errors import ImageError, OutputError, SettingsError
from latentlab.files import atomic_write
from latentlab.images import flatten, tensor_to_picture
from latentlab.video.ffmpeg import ffmpeg_program, ffmpeg_writer
from latentlab.video.gif import gif_writer

FPS = 30.0
MP4 = ".mp4"
SUFFIXES = (MP4, ".gif")

_MAX_FPS = {".mp4": 240.0, ".gif": 50.0}  # browsers slow down a GIF's delays under 2/100 s
_SMALLEST = 256  # pixels; a picture with a shorter side is enlarged to this or more

Write = Callable[[Tensor], None]


def check_video(path: Path | str, fps: float = FPS) -> None:
    """Raise SettingsError if no such video can be written, before there are any frames.

    That is for a suffix other than .mp4 and .gif, a rate that the format lacks, or no ffmpeg.
    """
    check_format(path, fps)
    if Path(path).suffix.lower() == MP4:
        ffmpeg_program()


def check_format(path: Path | str, fps: float = FPS) -> None:
    """Raise SettingsError for a suffix other than .mp4 and .gif, or a rate that it lacks."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise SettingsError(f"{path}: a video's suffix must be one of {', '.join(SUFFIXES)}")
    check(1 <= fps <= _MAX_FPS[suffix], "fps", f"1 to {_MAX_FPS[suffix]:g} for {suffix}", fps)


@contextmanager
def video_writer(path: Path | str, fps: float = FPS) -> Iterator[Write]:
    """Yield a function that appends a frame [C,H,W] in [-1,1]; all of one size.

    Videos have no alpha: frames that have some are laid on white.

    Frames with a side below 256 pixels are enlarged by a whole factor. The .mp4 is H.264 in
    yuv420p and BT.709, which every player knows, see ``ffmpeg_writer``; the .gif loops, see
    ``gif_writer``.

    Raises:
        SettingsError: If no such video can be written, see ``check_video``.
        ImageError: If frames are of several sizes, or no pictures.
        NumericalError: If a frame holds NaN or infinity.
        OutputError: If the file cannot be written, or there was no frame.
    """
    check_video(path, fps)
    first: torch.Size | None = None
    mp4 = Path(path).suffix.lower() == MP4
    with (
        atomic_write(path) as temporary,
        ffmpeg_writer(temporary, fps, str(path)) if mp4 else gif_writer(temporary, fps) as append,
    ):

        def write(image: Tensor) -> None:
            nonlocal first
            picture = flatten(tensor_to_picture(image))
            first = first or image.shape
            if image.shape != first:
                sizes = f"a frame is {list(image.shape)}, but the first was {list(first)}"
                raise ImageError(f"{path}: {sizes}")
            factor = math.ceil(_SMALLEST / min(picture.size))
            append(ImageOps.scale(picture, factor, Image.Resampling.NEAREST))

        yield write
        if first is None:
            raise OutputError(f"{path}: a video needs at least one frame, but none was given")
