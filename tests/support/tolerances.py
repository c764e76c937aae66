"""Tolerances, each once, with the reason.

Measured on the reference data: images of the official code differ by 1.5e-5 between batch sizes
and by 2.2e-5 from a float64 evaluation, on values up to 13; scores by 1.3e-6.
"""

W = 1e-5  # absolute, float32 against the official float32
IMAGE = 5e-5  # absolute, float32 against the official float32, values up to 13
SCORE = 2e-5  # absolute, float32 against the official float32
# Other code bases in float32: measured 8.5e-5 on values up to 24, at 128 px, and 5.2e-5.
FOREIGN_IMAGE = 2e-4  # absolute
FOREIGN_SCORE = 1e-4  # absolute
FLOAT64 = 1e-9  # absolute, float64 against float64: rounding through some twenty layers
IMAGE_FLOAT64 = 1e-11  # absolute, our float64 against the original code's, values up to 14
EQUAL_LAYOUT = 1e-4  # absolute, the same float32 sum in another order or layout
# Absolute and relative, float64 against float64 where a weight was rounded to float32 on the way
# into our networks (StyleGAN2's style bias plus one, weights without equalised learning rate);
# measured 4e-7, and 5e-6 in one pixel where a norm divides by little.
CONVERTED = 1e-5
EPSILON = 1e-8  # absolute, float64: a norm over the batch or the sample, told apart by 1e-8 in it
