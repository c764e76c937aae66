"""Videos of projections: the target beside what is rendered, from the first step to the last."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from latentlab.images import grid
from latentlab.video.writer import video_writer

_MOST_FRAMES = 300
_GAP = 2  # pixels between target and projection
_HOLD = 1.0  # seconds that the last frame stays


@dataclass(frozen=True)
class VideoRequest:
    """A video for each picture.

    Attributes:
        name: Of the file in the picture's folder.
        fps: Frames per second.
    """

    name: str
    fps: float


Observer = Callable[[int, Tensor], None]  # a step, and the images [N,C,R,R] rendered at it
Close = Callable[[Tensor], None]  # takes the final images [N,C,R,R]


@contextmanager
def projection_videos(
    request: VideoRequest, folders: Sequence[Path], targets: Tensor, steps: int
) -> Iterator[tuple[Observer, Close]]:
    """Yield what takes the images of every step, and what takes the final ones.

    Long projections show only every n-th step, in 300 frames at most.

    Args:
        request: What to write.
        folders: Where each picture's video goes.
        targets: The pictures [N,C,R,R].
        steps: Of the projection.
    """
    stride = -(-steps // _MOST_FRAMES)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(video_writer(folder / request.name, request.fps))
            for folder in folders
        ]

        def show(images: Tensor) -> None:
            for write, target, image in zip(writers, targets, images.cpu(), strict=True):
                write(grid([target, image], 2, _GAP))

        def observe(step: int, images: Tensor) -> None:
            if step % stride == 0:
                show(images)

        def close(images: Tensor) -> None:
            for _ in range(max(round(_HOLD * request.fps), 1)):
                show(images)

        yield observe, close
