"""The images that a classifier takes."""

import pytest
import torch

import latentlab
from latentlab import LatentError


@pytest.fixture(scope="module")
def classifier():
    return latentlab.load_classifier("builtin:digits-classifier")


def images_for(classifier, n=2):
    config = classifier.config
    return torch.randn(n, config.channels, config.resolution, config.resolution)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_images_take_the_type_of_the_weights(classifier, kind):
    images = images_for(classifier).to(kind)
    found = classifier(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, classifier(images.float()), atol=0, rtol=0)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.bool, torch.complex64])
def test_images_of_other_numbers_are_named(classifier, kind):
    with pytest.raises(LatentError, match=r"`images` must be floating-point in \[-1,1\]"):
        classifier(images_for(classifier).to(kind))


def test_no_images_are_named(classifier):
    with pytest.raises(LatentError, match="`images` must hold at least one"):
        classifier(images_for(classifier, 0))
