"""Measurements of a generator: generator in, table of numbers out."""

from metrics import path_length, separability
from metrics.aliasing.measured_spectra import (
    spectrum_of_generator,
    spectrum_of_pictures,
    spectrum_result,
)
from metrics.aliasing.moved_pictures import equivariance
from metrics.aliasing.power_spectra import average_spectrum
from metrics.droplet_rates import droplets
from metrics.noise_variation import stochastic_variation
from metrics.path_length import perceptual_path_length
from metrics.picture_fidelity import fidelity
from metrics.picture_pairs.differences import inversion_differences
from metrics.picture_pairs.quality import inversion_quality
from metrics.resolution_shares import contributions
from metrics.result import MetricResult
from metrics.separability.score import linear_separability
from metrics.source_attribution import attribution

__all__ = [
    "MetricResult", "attribution", "average_spectrum", "contributions", "droplets", "equivariance",
    "fidelity", "inversion_differences", "inversion_quality", "linear_separability", "path_length",
    "perceptual_path_length", "separability", "spectrum_of_generator", "spectrum_of_pictures",
    "spectrum_result", "stochastic_variation",
]  # fmt: skip
