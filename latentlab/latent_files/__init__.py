"""Files of latents as other tools write them: .npy, .npz, and those of torch.save."""

from latentlab.latent_files.found import FoundLatents, Part, arranged, arranged_shape
from latentlab.latent_files.reading import read_latent_file

__all__ = ["FoundLatents", "Part", "arranged", "arranged_shape", "read_latent_file"]
