"""What a GPU has room for."""

import torch

_SHARE = 0.5  # of its memory: torch keeps pieces between tensors, and others use it as well


def fitting(device: torch.device, bytes_each: int, most: int) -> int:
    """Return how many pictures a device computes at once: 1 at least, and ``most``.

    They fill half of the memory that the GPU has, not of what is free at the moment: the next run
    on this machine then makes the same batches. On other devices, ``most``.

    Args:
        device: Where they are computed.
        bytes_each: What a picture needs.
        most: As many help.
    """
    if device.type != "cuda":
        return most
    _, memory = torch.cuda.mem_get_info(device)
    return max(1, min(most, int(_SHARE * memory) // bytes_each))
