"""Checkpoints from the network: addresses, and the cache that keeps what was fetched."""

from latentlab.downloads.addresses import Address, is_address, parse_address, public_names
from latentlab.downloads.cache import fetch, fetched

__all__ = ["Address", "fetch", "fetched", "is_address", "parse_address", "public_names"]
