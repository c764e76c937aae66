"""The tables and figures of the StyleGAN papers, measured again on models that are at hand."""
