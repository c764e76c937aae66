"""Videos: pictures that follow each other, in one file."""

from latentlab.video.writer import check_video, video_writer

__all__ = ["check_video", "video_writer"]
