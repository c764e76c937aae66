"""What the content of a checkpoint means: one file with one table of names for each code base."""
