"""The pictures that a command is given: which, whose face, and what is done already."""
