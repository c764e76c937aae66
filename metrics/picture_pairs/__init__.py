"""Pairs of pictures: how near results are to their targets, and which method is nearer."""
