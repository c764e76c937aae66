"""Modulated convolutions in forms that need less time or memory than the plain one of ``ops``."""
