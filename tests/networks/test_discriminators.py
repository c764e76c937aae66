import numpy as np
import pytest
import torch

import latentlab
from latentlab import LatentError
from tests.conftest import make_discriminator, make_stylegan1_discriminator
from tests.support import reference
from tests.support.tolerances import FLOAT64, SCORE


@pytest.mark.parametrize("name", ["skip", "cond"])
@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_official_scores(name, n, shared):
    d = latentlab.load(shared / f"ada_{name}_32_state.safetensors").discriminator
    ref = np.load(shared / f"ada_{name}_32_ref.npz")
    scores = d(torch.from_numpy(ref["img_const"][:n]), torch.from_numpy(ref["c"][:n]))
    np.testing.assert_allclose(scores, ref[f"d_n{n}"], atol=SCORE, rtol=0)


def test_scores_of_noise(shared):
    ref = np.load(shared / "ada_skip_32_ref.npz")
    d = latentlab.load(shared / "ada_skip_32_state.safetensors").discriminator
    noise = np.random.RandomState(7).randn(4, 3, 32, 32)
    scores = d.double()(torch.from_numpy(noise))
    np.testing.assert_allclose(scores, ref["d_randn_rs7_n4"], atol=SCORE, rtol=0)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("n", [1, 4, 8])
def test_scores_equal_plain_numpy(architecture, c_dim, n):
    d = make_discriminator(architecture=architecture, c_dim=c_dim).double()
    weights = {key: value.double().numpy() for key, value in d.state_dict().items()}
    images = np.random.default_rng(0).standard_normal([n, 3, 16, 16])
    labels = np.eye(3)[np.arange(n) % 3] if c_dim else None
    expected = reference.discriminator(weights, images, architecture, labels)
    scores = d(torch.from_numpy(images), None if labels is None else torch.from_numpy(labels))
    assert scores.shape == (n, 1)
    np.testing.assert_allclose(scores, expected, atol=FLOAT64)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_activations_are_clamped_where_the_config_says(architecture):
    d = make_discriminator(architecture=architecture, conv_clamp=0.3).double()
    weights = {key: value.double().numpy() for key, value in d.state_dict().items()}
    images = np.random.default_rng(0).standard_normal([4, 3, 16, 16])
    expected = reference.discriminator(weights, images, architecture, clamp=0.3)
    scores = d(torch.from_numpy(images))
    np.testing.assert_allclose(scores, expected, atol=FLOAT64)
    free = make_discriminator(architecture=architecture).double()(torch.from_numpy(images))
    assert (free - scores).abs().max() > 0.01


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_first_and_second_derivatives(architecture):
    d = make_discriminator(architecture=architecture, resolution=8, channel_max=3).double()
    image = torch.from_numpy(np.random.default_rng(0).standard_normal([2, 3, 8, 8]))
    assert torch.autograd.gradcheck(d, [image.requires_grad_(True)])
    assert torch.autograd.gradgradcheck(d, [image])


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_the_smallest_image(architecture):
    d = make_discriminator(architecture=architecture, resolution=4)
    assert d(torch.zeros(2, 3, 4, 4)).shape == (2, 1)


def test_a_wrong_image_is_named():
    with pytest.raises(LatentError, match="`image` must have shape"):
        make_discriminator()(torch.zeros(1, 3, 8, 8))


MAKERS = [make_discriminator, make_stylegan1_discriminator]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_images_take_the_type_of_the_weights(make, kind):
    d, image = make(c_dim=3), torch.randn(4, 3, 16, 16).to(kind)
    c = torch.eye(3)[[0, 1, 2, 0]]
    found = d(image, c.double())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, d(image.float(), c), atol=0, rtol=0)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.bool, torch.complex64])
def test_images_of_other_numbers_are_named(make, kind):
    with pytest.raises(LatentError, match=r"`image` must be floating-point in \[-1,1\]"):
        make()(torch.zeros(2, 3, 16, 16, dtype=kind))


@pytest.mark.parametrize("make", MAKERS)
def test_no_images_are_named(make):
    with pytest.raises(LatentError, match="`image` must hold at least one"):
        make()(torch.zeros(0, 3, 16, 16))


def test_a_missing_label_is_named():
    with pytest.raises(LatentError, match="needs `c`"):
        make_discriminator(c_dim=3)(torch.zeros(1, 3, 16, 16))


@pytest.mark.parametrize("first", [True, False])
def test_either_convolution_of_a_block_changes_the_number_of_maps(first):
    """Table and kernel sizes are those of one resolution and of the next."""
    d = make_stylegan1_discriminator(channel_table=(8, 6, 3), widens_first=first)
    shapes = [list(conv.weight.shape[:2]) for b in (d.b16, d.b8) for conv in (b.conv0, b.conv1)]
    assert shapes == (
        [[6, 3], [6, 6], [8, 6], [8, 8]] if first else [[3, 3], [6, 3], [6, 6], [8, 6]]
    )
    assert d(torch.randn(4, 3, 16, 16)).shape == (4, 1)
