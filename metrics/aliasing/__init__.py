"""Whether detail moves with the picture, and which frequencies it has: equivariance and spectra."""
