"""Measuring models: work that can be continued, and the results of each metric."""
