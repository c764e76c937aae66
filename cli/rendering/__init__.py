"""Making pictures, grids, strips and walks of latents."""
