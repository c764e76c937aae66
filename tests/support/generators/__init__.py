"""Generators of later systems: plain computations, and files as their code writes them."""
