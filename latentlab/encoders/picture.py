"""A photograph as an encoder is to see it."""

from PIL import Image
from torch import Tensor

from latentlab.images import picture_to_tensor


def encoder_input(picture: Image.Image, size: tuple[int, int]) -> Tensor:
    """Bring a square RGB picture to an encoder's size [3,height,width] in [-1,1].

    It is resized as the published scripts do, by Pillow's bilinear filter. Where an encoder looks
    at something wider than high, as that of cars does, its generator draws that in the middle of a
    square, and so the rows above and below are left out.
    """
    height, width = size
    keep = round(picture.height * height / max(height, width))
    over = round(picture.width * width / max(height, width))
    left, top = (picture.width - over) // 2, (picture.height - keep) // 2
    box = (left, top, left + over, top + keep)
    resized = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, box)
    return picture_to_tensor(resized)
