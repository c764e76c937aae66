"""Training: data, losses, named configs, the trainer, and its snapshots."""
