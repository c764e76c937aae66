from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import latentlab
from latentlab import LatentError, NumericalError, SettingsError
from latentlab.numerics import Stream
from metrics.sampling import draw_samples
from metrics.separability.classifiers import classify, draw_latents
from tests.conftest import make_discriminator, make_generator
from tests.support.tolerances import SCORE


class Seen(nn.Module):
    """Returns the images' first pixels, and keeps what it was called with."""

    def __init__(self, **config):
        super().__init__()
        self.config = SimpleNamespace(**config)

    def forward(self, images):
        self.images = images
        return images[:, :, 0, 0]


def pictures(n, size, channels=3):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(0))


def check(logits, expected):
    torch.testing.assert_close(logits, torch.from_numpy(expected), rtol=0, atol=SCORE)


def run(classifier, images):
    return classify([classifier], ["smile"], images)[0]


def test_a_published_classifier_gives_the_logits_of_batches_of_four(shared):
    reference = np.load(shared / "classifier_00_ref.npz")
    clf = latentlab.load_classifier(shared / "classifier_00_dbasic.pkl")
    images = torch.from_numpy(reference["images"])
    for size in (4, 8):
        logits = torch.cat([run(clf, part) for part in images.split(size)])
        check(logits, reference["logits_0_batch4"])


@pytest.mark.parametrize("group", [None, 2, 8])
def test_a_batch_without_groups_of_four_changes_nothing(group):
    d, images = make_discriminator(mbstd_group_size=group), pictures(12, 16)
    assert torch.equal(run(d, images), torch.cat([d(part) for part in images.split(4)]))


@pytest.mark.parametrize(("side", "resolution"), [(512, None), (512, 256), (256, 64), (512, 512)])
def test_images_are_averaged_to_the_size_that_a_classifier_takes(side, resolution):
    clf, images = Seen(**({"resolution": resolution} if resolution else {})), pictures(4, side)
    run(clf, images)
    size = resolution or 256
    boxes = images.unflatten(3, (size, -1)).unflatten(2, (size, -1)).mean(dim=[3, 5])
    torch.testing.assert_close(clf.images, boxes)


def test_channels_are_those_that_a_classifier_takes():
    grey, colour, clf = pictures(4, 8, 1), pictures(4, 8, 3), Seen()
    run(clf, grey)
    assert torch.equal(clf.images, grey.expand(-1, 3, -1, -1))
    clf = Seen(channels=1)
    run(clf, colour)
    torch.testing.assert_close(clf.images, colour.mean(dim=1, keepdim=True))


def test_images_have_a_module_s_own_type():
    clf = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2)).double()
    assert run(clf, pictures(4, 8)).shape == (4, 2)


def test_images_below_a_classifier_s_size_are_refused():
    with pytest.raises(LatentError, match=r"smile takes images of 64x64.* 32x32"):
        run(Seen(resolution=64), pictures(4, 32))


@pytest.mark.parametrize(
    ("output", "error", "match"),
    [
        (lambda x: x, SettingsError, r"smile must return logits \[N,K\], .* \[4, 3, 8, 8\]"),
        (lambda x: x[:2, :, 0, 0], SettingsError, r"returned \[2, 3\] for 4 images"),
        (lambda x: [0.0] * len(x), SettingsError, "returned list"),
        (lambda x: x[:, :, 0, 0] / 0, NumericalError, "smile returned logits that are NaN"),
        (lambda x: x[:, :0, 0, 0], NumericalError, "none at all"),
    ],
)  # fmt: skip
def test_outputs_that_are_no_logits_are_refused(output, error, match):
    with pytest.raises(error, match=match):
        run(output, pictures(4, 8))


def test_latents_are_those_of_the_samples_in_order(monkeypatch):
    monkeypatch.setattr("metrics.separability.classifiers._MAPPED_AT_ONCE", 4)
    g = make_generator(c_dim=3)
    z, c = draw_samples(g, range(10), 1, Stream.SEPARABILITY)
    assert np.array_equal(draw_latents(g, "z", 10, 1), z.numpy())
    w = g.mapping(z, c)[:, -1].detach().numpy()
    np.testing.assert_allclose(draw_latents(g, "w", 10, 1), w, rtol=1e-5, atol=1e-6)
