"""Plots of measurements, one file a subject; each function returns a matplotlib Figure."""
