"""Encoders: networks that give the latents of a picture in one pass.

pSp (Richardson et al. 2021) and e4e (Tov et al. 2021), which share one backbone.
"""

from latentlab.encoders.network import Encoder
from latentlab.encoders.picture import encoder_input
from latentlab.encoders.reading import load_encoder

__all__ = ["Encoder", "encoder_input", "load_encoder"]
