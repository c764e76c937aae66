"""Files that are nearly right: sound ones, changed at random, the same ones for the same seed."""

from tests.fuzzing.mutants.mutant import mutant

__all__ = ["mutant"]
