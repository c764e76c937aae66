"""Pictures: every way in which they come in or go out."""

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
    read_picture,
    save_image,
    save_picture,
    shrink,
    tensor_to_picture,
    to_uint8,
)

__all__ = [
    "BACKGROUND", "FORMATS", "MAX_PIXELS", "MAX_UPSCALE", "STANDARD", "SUFFIXES", "Crop",
    "DecodePolicy", "Decoded", "check_size", "decode", "fit", "from_uint8", "grid", "load_image",
    "picture_to_tensor", "pixels_to_tensor", "read_picture", "save_image", "save_picture", "shrink",
    "size_of", "tensor_to_picture", "to_uint8",
]  # fmt: skip
