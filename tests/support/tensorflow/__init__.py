"""TensorFlow networks: their operations, and files as its releases write them."""
