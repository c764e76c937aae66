"""The systems of genforce/genforce: StyleGAN1, StyleGAN2 and Progressive GAN."""
