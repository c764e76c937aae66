"""Measurements of a generator: generator in, table of numbers out."""

from metrics.attribution import attribution
from metrics.contributions import contributions
from metrics.path_length import perceptual_path_length
from metrics.result import MetricResult
from metrics.stochastic import stochastic_variation

__all__ = [
    "MetricResult",
    "attribution",
    "contributions",
    "perceptual_path_length",
    "stochastic_variation",
]
