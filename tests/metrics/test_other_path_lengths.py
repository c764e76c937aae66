"""What path lengths are not: measured on rounded pictures, or what torchmetrics calls so."""

import numpy as np
import pytest
import torch

from metrics import perceptual_path_length
from metrics.path_length import filtered_mean
from tests.metrics.doubles import LinearGenerator, PlainGenerator, squared

STEP = 1e-4


class Bytes(PlainGenerator):
    """Its pictures are rounded to the 255 steps of a byte, as those that come from files are."""

    def synthesis(self, *args, **options):
        return (super().synthesis(*args, **options) * 127.5).round() / 127.5


def test_n11_pictures_are_not_rounded_to_bytes():
    seen = []

    def watched(first, second):
        seen.extend([first, second])
        return squared(first, second)

    value = perceptual_path_length(PlainGenerator(), watched, num_samples=100, epsilon=STEP).value
    steps = torch.cat(seen) * 127.5
    on_a_step = (steps - steps.round()).abs() < 0.01  # of those between steps it is one in fifty
    assert on_a_step.double().mean() < 0.05
    # A pixel that moves by a hundredth of a byte is then moved by a whole one, once in a hundred.
    rounded = perceptual_path_length(Bytes(), squared, num_samples=100, epsilon=STEP).value
    assert rounded > 10 * value


class Watched(torch.nn.Module):
    """The linear generator as torchmetrics wants one; keeps the latents it was given."""

    def __init__(self):
        super().__init__()
        self.g, self.drawn, self.seen = LinearGenerator(), [], []

    def sample(self, count):
        self.drawn.append(torch.randn(count, self.g.z_dim))
        return self.drawn[-1]

    def forward(self, z):
        self.seen.append(z)
        return self.g(z)


class Given(torch.nn.Module):
    """A distance of known values, whatever the pictures."""

    def __init__(self, distances):
        super().__init__()
        self.distances = iter(distances.split(50))

    def forward(self, *_):
        return next(self.distances)


def test_n12_the_path_length_of_torchmetrics_is_no_reference():
    others = pytest.importorskip("torchmetrics.functional.image").perceptual_path_length
    distances = torch.from_numpy(np.random.default_rng(0).lognormal(size=150))
    g = Watched()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs, _, kept = others(g, 150, batch_size=50, epsilon=STEP, resize=None,
                                 sim_net=Given(distances * STEP**2))  # fmt: skip
    # Paths begin at their first end, always: t is 0, and nothing between both ends is looked at.
    starts = torch.cat([z[:50] for z in g.seen])
    assert torch.equal(starts, g.drawn[0])
    # Of the largest the hundredth part and one more are left out: the lower neighbour is taken.
    values = distances.numpy()
    lower, upper = np.percentile(values, [1, 99], method="lower")
    assert float(theirs) == pytest.approx(values[(values >= lower) & (values <= upper)].mean())
    ours = filtered_mean(distances)
    upper = np.percentile(values, 99, method="higher")
    assert ours == pytest.approx(values[(values >= lower) & (values <= upper)].mean())
    assert len(kept) == ((values >= lower) & (values < upper)).sum()
    assert ours > 1.02 * float(theirs)
