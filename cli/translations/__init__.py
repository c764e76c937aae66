"""Translations: the command lines of NVIDIA's scripts, in the words of this command line."""
