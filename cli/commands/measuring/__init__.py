"""The commands that measure generators: one file for each."""
