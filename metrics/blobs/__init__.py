"""What the search for droplets sees in feature maps: their heat, and the shape of a spot."""
