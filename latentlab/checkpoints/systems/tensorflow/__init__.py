"""NVIDIA's TensorFlow releases: their variables and settings, in our terms."""
