"""Comparing models: what is measured of them, and the page that says which is better on what."""
