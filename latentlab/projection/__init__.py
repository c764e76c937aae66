"""Projection: the latents and noise maps that reproduce a picture."""

from latentlab.projection.masks import load_mask
from latentlab.projection.projector import default_batch, project
from latentlab.projection.result import Projection
from latentlab.projection.settings import ProjectorSettings
from latentlab.projection.start import ProjectionStart, StartSearch
from latentlab.projection.tuning import TuningSettings, tune
from latentlab.projection.tuning_file import Tuning, apply_tuning, load_tuning, save_tuning

__all__ = [
    "Projection", "ProjectionStart", "ProjectorSettings", "StartSearch", "Tuning",
    "TuningSettings", "apply_tuning", "default_batch", "load_mask", "load_tuning", "project",
    "save_tuning", "tune",
]  # fmt: skip
