"""Convolutions of networks in training."""
