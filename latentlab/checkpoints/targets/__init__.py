"""What a network means in other people's code: the way back from ours to their names."""
