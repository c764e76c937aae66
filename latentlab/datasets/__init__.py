"""Data sets: pictures to train on, and to compare with."""

from latentlab.datasets.pictures import Dataset, open_dataset

__all__ = ["Dataset", "open_dataset"]
