"""latentlab: open a trained StyleGAN, project photographs into it, measure it, compare it.

See ``load``, ``perceptual_distance`` and ``project``.
"""

from latentlab import images
from latentlab.checkpoints import Checkpoint, load, load_classifier, save
from latentlab.errors import (
    CheckpointError,
    DataError,
    ImageError,
    LatentError,
    LatentlabError,
    NoFaceError,
    NumericalError,
    OutputError,
    ProcessError,
    SettingsError,
    TruncatedCheckpoint,
    UnsafeCheckpoint,
    UnsupportedCheckpoint,
)
from latentlab.masks import load_mask
from latentlab.networks.generator import Generator
from latentlab.perceptual import perceptual_distance
from latentlab.projection import Projection, ProjectorSettings
from latentlab.projection_start import ProjectionStart, StartSearch
from latentlab.projector import project
from latentlab.version import __version__

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "DataError",
    "Generator",
    "ImageError",
    "LatentError",
    "LatentlabError",
    "NoFaceError",
    "NumericalError",
    "OutputError",
    "ProcessError",
    "Projection",
    "ProjectionStart",
    "ProjectorSettings",
    "SettingsError",
    "StartSearch",
    "TruncatedCheckpoint",
    "UnsafeCheckpoint",
    "UnsupportedCheckpoint",
    "__version__",
    "images",
    "load",
    "load_classifier",
    "load_mask",
    "perceptual_distance",
    "project",
    "save",
]
