"""What an encoder's pictures, means and generators may be."""

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import CheckpointError, LatentError, load_encoder
from latentlab.encoders import encoder_input
from latentlab.encoders.config import E4E, INTO_W, INTO_W_PLUS, PSP
from latentlab.images import picture_to_tensor
from tests.conftest import make_generator
from tests.support.encoders import encoder_state, write_encoder

SMALL = {"resolution": 32, "z_dim": 12, "w_dim": 12}
PIXELS = 1e-5  # of styles, by the order of float32 sums


@pytest.fixture(scope="module")
def g():
    return make_generator(**SMALL)


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_rows_of_e4e_are_added_to_the_first(images, tmp_path):
    state = encoder_state(PSP)
    psp = load_encoder(write_encoder(tmp_path / "psp.pt", PSP, state=state))
    e4e = load_encoder(write_encoder(tmp_path / "e4e.pt", E4E, state=state))
    with torch.no_grad():
        rows, sums = psp(images[:1]), e4e(images[:1])
    assert rows.shape == sums.shape == (1, 8, 12)
    assert rows.std(dim=1).mean() > 1e-3
    rows[:, 1:] += rows[:, :1].clone()
    torch.testing.assert_close(sums, rows, atol=PIXELS, rtol=0)


@pytest.mark.parametrize("shape", [(8, 12), (12,), (1, 8, 12)])
def test_the_mean_w_is_added_in_any_shape(shape, images, tmp_path):
    mean = torch.randn(12, generator=torch.Generator().manual_seed(1)).expand(shape).contiguous()
    plain = load_encoder(write_encoder(tmp_path / "a.pt"))
    said = {"mean": mean, "start_from_latent_avg": True}
    moved = load_encoder(write_encoder(tmp_path / "b.pt", **said))
    single = load_encoder(write_encoder(tmp_path / "c.pt", INTO_W, num_ws=1, **said))
    plain_single = load_encoder(write_encoder(tmp_path / "d.pt", INTO_W, num_ws=1))
    row = mean.reshape(-1, 12)[:1]
    with torch.no_grad():
        one = images[:1]
        torch.testing.assert_close(moved(one), plain(one) + row, atol=PIXELS, rtol=0)
        assert single(one).shape == (1, 1, 12)
        torch.testing.assert_close(single(one), plain_single(one) + row, atol=PIXELS, rtol=0)


def test_options_decide_whether_a_mean_counts(images, tmp_path):
    mean = torch.ones(8, 12)
    unused = write_encoder(tmp_path / "a.pt", mean=mean, start_from_latent_avg=False)
    old = write_encoder(tmp_path / "b.pt", mean=mean)  # whose mean is there to be added
    with torch.no_grad():
        apart = load_encoder(old)(images[:1]) - load_encoder(unused)(images[:1])
    torch.testing.assert_close(apart, torch.ones(1, 8, 12), atol=PIXELS, rtol=0)


def test_the_generator_stands_in_for_a_mean_that_is_missing(g, images, tmp_path):
    encoder = load_encoder(write_encoder(tmp_path / "a.pt", start_from_latent_avg=True))
    with pytest.raises(LatentError, match=r"a\.pt: gives what is added to a mean w"):
        encoder(images)
    plain = load_encoder(write_encoder(tmp_path / "b.pt"))
    expected = plain.ws_for(g, images) + g.w_mean
    torch.testing.assert_close(encoder.ws_for(g, images), expected, atol=PIXELS, rtol=0)


def test_neighbours_never_change_latents(g, images, tmp_path):
    encoder = load_encoder(write_encoder(tmp_path / "a.pt", E4E))
    both = encoder.ws_for(g, images)
    assert torch.equal(both[1:], encoder.ws_for(g, images[1:]))


def test_one_w_is_spread_over_any_generator(g, images, tmp_path):
    encoder = load_encoder(write_encoder(tmp_path / "a.pt", INTO_W, num_ws=1))
    ws = encoder.ws_for(g, images)
    assert ws.shape == (2, 8, 12)
    assert torch.equal(ws, ws[:, :1].expand_as(ws))
    taller = make_generator(resolution=64, w_dim=12)
    assert encoder.ws_for(taller, images[:1]).shape == (1, 10, 12)


def test_all_rows_from_one_vector(images, tmp_path):
    encoder = load_encoder(write_encoder(tmp_path / "a.pt", INTO_W_PLUS))
    with torch.no_grad():
        assert encoder(images).shape == (2, 8, 12)


@pytest.mark.parametrize("rows", [8, 10])
def test_the_encoder_of_cars_is_wide_and_may_have_two_rows_too_many(rows, g, images, tmp_path):
    file = write_encoder(tmp_path / "a.pt", E4E, num_ws=rows, dataset_type="cars_encode")
    encoder = load_encoder(file)
    assert encoder.size == (192, 256)
    assert encoder.ws_for(g, images[:, :, 32:224]).shape == (2, 8, 12)


class Eye(torch.nn.Module):
    """Keeps what it sees."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        self.seen = x
        return torch.zeros(len(x), 8, 12)


def test_pictures_of_other_sizes_are_resized_as_pillow_does(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    encoder = load_encoder(write_encoder(tmp_path / "a.pt"))
    encoder.network = Eye()
    encoder(picture_to_tensor(picture)[None])
    expected = encoder_input(picture, encoder.size)
    level = 1.01 / 127.5  # Pillow rounds to whole levels, after each direction
    torch.testing.assert_close(encoder.network.seen[0], expected, atol=level, rtol=0)


@pytest.mark.parametrize(("changes", "words"), [
    ({"num_ws": 10, "output_size": 64}, "gives latents of 10 x 12, but the generator takes 8 x 12"),
    ({"w_dim": 16}, "gives latents of 8 x 16, but the generator takes 8 x 12"),
    ({"kind": INTO_W, "num_ws": 1, "w_dim": 16}, "gives latents of 16, but"),
])  # fmt: skip
def test_another_generator_is_refused(changes, words, g, images, tmp_path):
    encoder = load_encoder(write_encoder(tmp_path / "a.pt", **changes))
    with pytest.raises(CheckpointError, match=words):
        encoder.ws_for(g, images)


def test_pictures_that_do_not_fit_are_refused(tmp_path):
    encoder = load_encoder(write_encoder(tmp_path / "a.pt"))
    with pytest.raises(LatentError, match=r"must have shape \[any, 3, any, any\]"):
        encoder(torch.zeros(1, 1, 256, 256))
    with pytest.raises(LatentError, match="must be floating-point"):
        encoder(torch.zeros(1, 3, 256, 256, dtype=torch.uint8))
