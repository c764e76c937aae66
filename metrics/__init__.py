"""Measurements of a generator: generator in, table of numbers out."""

from metrics.contributions import contributions
from metrics.result import MetricResult

__all__ = ["MetricResult", "contributions"]
