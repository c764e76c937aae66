"""Measurements of a generator: generator in, table of numbers out."""

from metrics import path_length, separability
from metrics.attribution import attribution
from metrics.contributions import contributions
from metrics.droplets import droplets
from metrics.fidelity import fidelity
from metrics.path_length import perceptual_path_length
from metrics.result import MetricResult
from metrics.separability import linear_separability
from metrics.stochastic import stochastic_variation

__all__ = [
    "MetricResult",
    "attribution",
    "contributions",
    "droplets",
    "fidelity",
    "linear_separability",
    "path_length",
    "perceptual_path_length",
    "separability",
    "stochastic_variation",
]
