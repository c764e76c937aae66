"""Videos of projections: the target beside what is rendered, from the first step to the last."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from torch import Tensor

from latentlab.images import grid
from latentlab.video.writer import video_writer

_MOST_FRAMES = 300
_GAP = 2  # pixels between target and projection
_HOLD = 1.0  # seconds that the last frame stays


Observer = Callable[[int, Tensor], None]  # a step, and the images [N,C,R,R] rendered at it
Close = Callable[[Tensor], None]  # takes the final images [N,C,R,R]


@contextmanager
def projection_videos(
    files: Sequence[Path], fps: float, targets: Tensor, steps: int
) -> Iterator[tuple[Observer | None, Close]]:
    """Yield what takes the images of every step, and what takes the final ones.

    Long projections show only every n-th step, in 300 frames at most.

    Args:
        files: The video of each picture; none at all where no videos are wanted.
        fps: Frames per second.
        targets: The pictures [N,C,R,R].
        steps: Of the projection.
    """
    if not files:
        yield None, lambda _: None
        return
    stride = -(-steps // _MOST_FRAMES)
    with ExitStack() as stack:
        writers = [stack.enter_context(video_writer(file, fps)) for file in files]

        def show(images: Tensor) -> None:
            for write, target, image in zip(writers, targets, images.cpu(), strict=True):
                write(grid([target, image], 2, _GAP))

        def observe(step: int, images: Tensor) -> None:
            if step % stride == 0:
                show(images)

        def close(images: Tensor) -> None:
            for _ in range(max(round(_HOLD * fps), 1)):
                show(images)

        yield observe, close
