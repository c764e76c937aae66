"""Faces: where they are in a photo, cut out as FFHQ was, and put back."""

from latentlab.faces.alignment import align, check_quad, paste_back
from latentlab.faces.detection import FaceDetector
from latentlab.faces.geometry import FacePoints, face_points, face_quad, side_of
from latentlab.faces.landmarks import Landmarks, read_landmarks
from latentlab.faces.record import Alignment, load_alignment, save_alignment

__all__ = [
    "Alignment", "FaceDetector", "FacePoints", "Landmarks", "align", "check_quad", "face_points",
    "face_quad", "load_alignment", "paste_back", "read_landmarks", "save_alignment", "side_of",
]  # fmt: skip
