"""Linear separability: how well planes in the latent space divide attributes."""

from metrics.separability.score import (
    linear_separability,
    separability_from_labels,
    separability_from_logits,
)

__all__ = ["linear_separability", "separability_from_labels", "separability_from_logits"]
