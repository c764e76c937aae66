"""What an encoder sees of a picture."""

import numpy as np
import torch
from PIL import Image

from latentlab.encoders import encoder_input


def stripes(side):
    rows = np.arange(side, dtype=np.uint8)[:, None, None]
    return Image.fromarray(np.broadcast_to(rows, (side, side, 3)).copy())


def test_a_picture_of_its_size_is_seen_as_it_is():
    seen = encoder_input(stripes(256), (256, 256))
    assert seen.shape == (3, 256, 256)
    assert torch.equal(seen[0, :, 0], torch.arange(256) / 127.5 - 1)


def test_pillows_bilinear_filter_resizes():
    picture = stripes(100)
    expected = np.asarray(picture.resize((256, 256), Image.Resampling.BILINEAR))
    seen = (encoder_input(picture, (256, 256)) + 1) * 127.5
    np.testing.assert_allclose(seen.permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_something_wide_is_the_middle_of_a_square():
    seen = encoder_input(stripes(256), (192, 256))
    assert torch.equal(seen[0, :, 0], torch.arange(32, 224) / 127.5 - 1)
