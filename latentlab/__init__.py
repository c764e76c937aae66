"""latentlab: open a trained StyleGAN, project photographs into it, measure it, compare it.

See ``load``, ``perceptual_distance`` and ``project``.
"""

from latentlab.acceleration import compiled, in_precision
from latentlab.checkpoints import (
    Checkpoint,
    Exported,
    export,
    from_pretrained,
    load,
    load_classifier,
    save,
)
from latentlab.downloads import fetch
from latentlab.encoders import Encoder, load_encoder
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
from latentlab.networks.generator import Generator
from latentlab.perceptual import perceptual_distance, save_distance
from latentlab.projection import (
    Projection,
    ProjectionStart,
    ProjectorSettings,
    StartSearch,
    Tuning,
    TuningSettings,
    apply_tuning,
    load_mask,
    load_tuning,
    project,
    save_tuning,
    tune,
)
from latentlab.version import __version__

__all__ = [
    "Checkpoint", "CheckpointError", "DataError", "Encoder", "Exported", "Generator", "ImageError",
    "LatentError", "LatentlabError", "NoFaceError", "NumericalError", "OutputError", "ProcessError",
    "Projection", "ProjectionStart", "ProjectorSettings", "SettingsError", "StartSearch",
    "TruncatedCheckpoint", "Tuning", "TuningSettings", "UnsafeCheckpoint", "UnsupportedCheckpoint",
    "__version__", "apply_tuning", "compiled", "export", "fetch", "from_pretrained", "images",
    "in_precision", "load", "load_classifier", "load_encoder", "load_mask", "load_tuning",
    "perceptual_distance", "project", "save", "save_distance", "save_tuning",
    "tune",
]  # fmt: skip
