"""Encoders of pSp and e4e in small: their names, few feature maps."""

import torch

from latentlab.encoders.config import PSP, EncoderConfig
from latentlab.encoders.network import build
from latentlab.numerics import seeded_initialisation

WIDTHS = (16, 16, 16, 16)


def encoder_state(kind=PSP, num_ws=8, w_dim=12, seed=0, prefix="encoder."):
    """An encoder's part of a state dict, every weight off its initial value."""
    with seeded_initialisation(seed):
        network = build(EncoderConfig(kind, num_ws, w_dim, widths=WIDTHS))
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in network.state_dict().items():
        move = 0.1 * torch.randn(tensor.shape, generator=rng)
        state[prefix + name] = tensor + (move.abs() if name.endswith("var") else move)
        if name.endswith("running_var"):
            counter = f"{prefix}{name.removesuffix('running_var')}num_batches_tracked"
            state[counter] = torch.zeros([], dtype=torch.int64)
    return state


def write_encoder(path, kind=PSP, num_ws=8, w_dim=12, seed=0, mean=None, state=None, **options):
    """Write a file as pSp's training does; an option that is None is left out."""
    named = {"encoder_type": kind, "output_size": 32, "dataset_type": "ffhq_encode", **options}
    found = {
        "state_dict": encoder_state(kind, num_ws, w_dim, seed) if state is None else state,
        "opts": {name: value for name, value in named.items() if value is not None},
    }
    if mean is not None:
        found["latent_avg"] = mean
    torch.save(found, path)
    return path
