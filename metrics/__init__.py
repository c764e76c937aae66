"""Measurements of a generator: generator in, table of numbers out."""

from metrics.contributions import contributions
from metrics.path_length import perceptual_path_length
from metrics.result import MetricResult
from metrics.separability import linear_separability

__all__ = ["MetricResult", "contributions", "linear_separability", "perceptual_path_length"]
