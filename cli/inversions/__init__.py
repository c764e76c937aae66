"""Inversions: pairs of pictures of several methods, and the page that says which is nearer."""
