"""Editing: directions in the latent space, and walks through it."""

from latentlab.editing.directions import (
    Direction,
    Directions,
    load_directions,
    move,
    save_directions,
)

__all__ = ["Direction", "Directions", "load_directions", "move", "save_directions"]
