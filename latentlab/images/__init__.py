"""Pictures: every way in which they come in or go out."""

from latentlab.images.channels import (
    ALPHA,
    COMPARED_ON,
    SEEN_ON,
    alpha_facts,
    as_rgb,
    averaged,
    check_channels,
    views,
)
from latentlab.images.colour import flatten
from latentlab.images.decoding import (
    BACKGROUND,
    FORMATS,
    MAX_PIXELS,
    STANDARD,
    SUFFIXES,
    Decoded,
    DecodePolicy,
    decode,
    size_of,
)
from latentlab.images.tensors import (
    MAX_UPSCALE,
    Crop,
    check_size,
    fit,
    from_uint8,
    grid,
    load_image,
    picture_to_tensor,
    pixels_to_tensor,
    policy_for,
    read_picture,
    save_image,
    save_picture,
    shrink,
    tensor_to_picture,
    to_uint8,
)

__all__ = [
    "ALPHA", "BACKGROUND", "COMPARED_ON", "FORMATS", "MAX_PIXELS", "MAX_UPSCALE", "SEEN_ON",
    "STANDARD", "SUFFIXES", "Crop", "DecodePolicy", "Decoded", "alpha_facts", "as_rgb", "averaged",
    "check_channels", "check_size", "decode", "fit", "flatten", "from_uint8", "grid", "load_image",
    "picture_to_tensor", "pixels_to_tensor", "policy_for", "read_picture", "save_image",
    "save_picture", "shrink", "size_of", "tensor_to_picture", "to_uint8", "views",
]  # fmt: skip
