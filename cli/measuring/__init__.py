"""Measuring models: work that can be continued, the results of each metric, and comparisons."""
