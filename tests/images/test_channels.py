"""What is seen of images with alpha, against closed forms."""

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import ImageError, LatentError, images
from latentlab.images import as_rgb, check_channels, flatten, views
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.quality import masked_quality, pixel_quality
from tests.conftest import make_generator


class Squares(PerceptualDistance):
    """The mean squared difference."""

    def __init__(self):
        super().__init__("squares")

    def _extract(self, images):
        return [images]

    def compare(self, first, second):
        return (first[0] - second[0]).square().mean(dim=[1, 2, 3])


def rgba(seed, count=2, side=8):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, 4, side, side, generator=rng) * 2 - 1


def test_alpha_is_laid_on_a_background_and_grey_repeated():
    colours, share = rgba(0)[:, :3], (rgba(0)[:, 3:] + 1) / 2
    white, black = views(rgba(0))
    torch.testing.assert_close(white, colours * share + (1 - share))
    torch.testing.assert_close(black, colours * share - (1 - share))
    torch.testing.assert_close(as_rgb(rgba(0)[0]), white[0])
    grey = torch.rand(2, 1, 4, 4)
    assert torch.equal(as_rgb(grey), grey.repeat(1, 3, 1, 1))
    assert views(grey)[0] is grey
    with pytest.raises(ImageError, match=r"or 4 [(]colour with alpha[)] channels"):
        as_rgb(torch.zeros(1, 2, 4, 4))
    with pytest.raises(LatentError, match="makes images of 5 channels"):
        check_channels(5)


def test_alpha_is_known_from_both_views():
    white, black = views(rgba(1))
    share = 1 - (white - black).mean(dim=1, keepdim=True) / 2
    torch.testing.assert_close(share, (rgba(1)[:, 3:] + 1) / 2)
    torch.testing.assert_close((black + 1 - share) / share, rgba(1)[:, :3], rtol=1e-3, atol=1e-3)


def test_distances_are_the_mean_of_those_on_white_and_on_black():
    a, b = rgba(2), rgba(3)
    expected = torch.stack([Squares()(x, y) for x, y in zip(views(a), views(b), strict=True)])
    torch.testing.assert_close(Squares()(a, b), expected.mean(dim=0))
    # Hidden colours do not count; a share that one background hides does.
    hidden, other = a.clone(), b.clone()
    hidden[:, 3] = other[:, 3] = -1
    assert Squares()(hidden, other).tolist() == [0, 0]
    seen, white = torch.ones(1, 4, 8, 8), torch.ones(1, 4, 8, 8)
    white[:, 3] = 0  # half transparent white is white on white, and grey on black
    assert Squares()(seen, white).item() == pytest.approx(0.5)


@pytest.mark.parametrize("foreign", [False, True])
def test_a_projection_compares_both_views(foreign):
    from latentlab import project

    g = make_generator(channels=4, resolution=8)
    ws = g.mapping(torch.randn(1, g.z_dim, generator=torch.Generator().manual_seed(5)))
    distance = (lambda a, b: (a - b).square().mean(dim=[1, 2, 3])) if foreign else Squares()
    result = project(g, g.synthesis(ws), distance, steps=20)
    expected = Squares()(g.synthesis(ws), result.images)
    torch.testing.assert_close(result.distance, expected)
    assert result.distance.item() < result.start_distance.item()


def test_quality_is_over_both_views_of_the_saved_pictures():
    a, b = rgba(4)[0], rgba(5)[0]
    side_by_side = []
    for image in (a, b):
        picture = images.tensor_to_picture(image)
        both = [flatten(picture, colour) for colour in ((255,) * 3, (0,) * 3)]
        side_by_side.append(np.concatenate([np.asarray(x, float) for x in both], axis=2))
    mse = ((side_by_side[0] - side_by_side[1]) ** 2).mean()
    # Pillow and we round each composite on our own: by one level of 255 at most.
    assert pixel_quality(a, b)["mse"] == pytest.approx(mse, rel=0.02)
    masked, whole = masked_quality(a, b, torch.ones(1, 8, 8)), pixel_quality(a, b)
    assert masked["mse"] == pytest.approx(whole["mse"])
    assert pixel_quality(a, a)["psnr"] is None


def test_hidden_colours_do_not_leak_where_images_are_reduced():
    image = torch.ones(1, 4, 8, 8)
    image[:, :3, :, ::2], image[:, 3, :, ::2] = -1, -1  # every second column is hidden black
    small = images.shrink(image, 4)
    torch.testing.assert_close(small[:, :3], torch.ones(1, 3, 4, 4))
    torch.testing.assert_close(small[:, 3], torch.zeros(1, 4, 4))
    both = zip(views(small), views(image), strict=True)
    for reduced, whole in both:
        torch.testing.assert_close(reduced, images.shrink(whole, 4))


def test_files_keep_their_alpha_where_it_is_asked_for(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, [8, 8, 4], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    image = images.load_image(tmp_path / "x.png", 8, channels=4)
    assert np.array_equal(images.to_uint8(image).permute(1, 2, 0).numpy(), pixels)
    images.save_image(tmp_path / "again.png", image)
    assert torch.equal(images.load_image(tmp_path / "again.png", 8, channels=4), image)
    opaque = Image.fromarray(pixels[:, :, :3])
    opaque.save(tmp_path / "y.png")
    assert images.load_image(tmp_path / "y.png", 8, channels=4)[3].eq(1).all()
    laid = images.load_image(tmp_path / "x.png", 8)
    assert torch.equal(laid, images.picture_to_tensor(Image.fromarray(pixels)))
    twice = images.load_image(tmp_path / "x.png", 4, channels=4)
    assert twice.shape == (4, 4, 4)


def test_the_photo_shows_through_the_transparent_parts_of_a_face():
    from latentlab.faces import paste_back

    photo = Image.new("RGB", (64, 64), (10, 20, 30))
    face = np.zeros([32, 32, 4], dtype=np.uint8)
    face[:, :, 0], face[:, 16:, 3] = 200, 255
    quad = np.array([[16, 16], [16, 48], [48, 48], [48, 16]]) - 0.5
    pasted = np.asarray(paste_back(photo, Image.fromarray(face), quad, feather=0))
    assert pasted[32, 20].tolist() == [10, 20, 30]
    assert pasted[32, 42].tolist() == [200, 0, 0]
