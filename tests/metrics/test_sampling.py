"""Numbered samples in batches: the same whatever the batch, the interruption or the generator."""

import sys

import numpy as np
import pytest
import torch

from latentlab import NumericalError, SettingsError, workers
from latentlab.latents import draw_labels, draw_noise, draw_z
from latentlab.numerics import Stream
from metrics.sampling import (
    batch_size,
    check_counts,
    default_batch,
    device_of,
    draw_noise_maps,
    draw_samples,
    has_w,
    in_batches,
    render,
    render_samples,
    whole_groups,
)
from tests.conftest import make_generator, make_progan, make_stylegan3
from tests.metrics.doubles import LinearGenerator, PlainGenerator


class Squares:
    """Computes numbers and their squares, and remembers what it was asked for."""

    def __init__(self, most=1000):
        self.asked, self.most = [], most

    def __call__(self, samples):
        self.asked.append(samples)
        if len(samples) > self.most:
            raise torch.OutOfMemoryError("out of memory\nmore lines")
        numbers = np.array(samples)
        return {"number": numbers, "square": numbers[:, None] ** 2}


@pytest.mark.parametrize("batch", [1, 3, 7, 64])
def test_n01_samples_come_in_order_whatever_the_batch(batch):
    compute = Squares()
    arrays = in_batches(compute, range(5, 30), batch)
    assert arrays["number"].tolist() == list(range(5, 30))
    assert arrays["square"].tolist() == [[i**2] for i in range(5, 30)]
    assert arrays["seconds"].shape == (25,)
    assert (arrays["seconds"] > 0).all()
    assert max(map(len, compute.asked)) == min(batch, 25)


def test_finished_batches_are_not_computed_again():
    finished = {}
    in_batches(Squares(), range(20), 8, finished)
    compute = Squares()
    arrays = in_batches(compute, range(30), 8, finished)
    # The last batch of the first run was shorter.
    assert compute.asked == [range(16, 24), range(24, 30)]
    assert arrays["number"].tolist() == list(range(30))
    again = in_batches(compute, range(30), 8, finished)
    assert len(compute.asked) == 2
    assert again["seconds"].tolist() == arrays["seconds"].tolist()


def test_progress_starts_behind_what_is_finished():
    finished, seen = {}, []
    in_batches(Squares(), range(8), 8, finished)
    in_batches(Squares(), range(30), 8, finished, lambda *counts: seen.append(counts))
    assert seen == [(16, 30), (24, 30), (30, 30)]


def test_j10_a_batch_without_memory_is_halved_in_whole_groups():
    compute = Squares(most=5)
    arrays = in_batches(compute, range(30), 30)
    assert arrays["number"].tolist() == list(range(30))
    assert [len(part) for part in compute.asked] == [30, 16, 8, 4, 4, 8, 4, 4, 14, 8, 4, 4, 6, 4, 2]


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_j10_no_memory_for_one_group_is_an_error(count):
    with pytest.raises(
        NumericalError,
        match=r"no memory .* \(out of memory\); use a `device` with more, such as cpu",
    ):
        in_batches(Squares(most=0), range(count), 64)


@pytest.mark.parametrize("count", range(1, 10))
def test_whole_groups_repeat_the_last_sample(count):
    numbers = whole_groups(range(2, 2 + count))
    assert numbers[:count] == list(range(2, 2 + count))
    assert len(numbers) % 4 == 0
    assert len(numbers) - count < 4
    assert set(numbers[count:]) <= {1 + count}


def test_the_batch_is_a_gpus_business():
    g = make_generator()
    assert default_batch(g) % 4 == 0
    assert batch_size(g) == batch_size(g, 3) == batch_size(g, 100) == default_batch(g)
    on_gpu = make_generator().to("meta")
    assert [batch_size(on_gpu, batch) for batch in (None, 3, 4, 9)] == [256, 4, 4, 12]


def test_large_images_are_rendered_in_one_group():
    g = PlainGenerator()
    g.resolution = 1024
    assert default_batch(g) == 4


@pytest.mark.parametrize("make", [PlainGenerator, LinearGenerator])
def test_a_generator_with_nothing_but_the_face_is_served(make):
    g = make()
    assert device_of(g) == torch.device("cpu")
    assert has_w(g)
    assert draw_noise_maps(g, [0, 1], seed=0, stream=0) is None
    z, c = draw_samples(g, [0, 1], seed=0, stream=0)
    assert c is None
    ws = g.mapping(z)
    assert torch.equal(render(g, z), g.synthesis(ws))
    assert torch.equal(render(g, ws), g.synthesis(ws))


def test_n03_samples_are_in_the_generators_precision():
    for g, dtype in (
        (PlainGenerator(), torch.float32),
        (make_generator(c_dim=3), torch.float32),
        (make_generator(c_dim=3).double(), torch.float64),
        (make_generator(c_dim=3).half(), torch.float32),
    ):
        z, c = draw_samples(g, [4, 9], seed=3, stream=7)
        assert z.dtype == dtype
        assert torch.equal(z.float(), draw_z([4, 9], g.z_dim, 3, 7))
        if g.c_dim:
            assert torch.equal(c, draw_labels([4, 9], 3, 3, 7).to(dtype))


def test_noise_maps_are_keyed_and_absent_where_there_is_no_noise():
    g = make_generator()
    maps = draw_noise_maps(g, [4, 9], seed=3, stream=7)
    assert all(map(torch.equal, maps, draw_noise([4, 9], g, 3, 7)))
    assert draw_noise_maps(make_progan(), [0], seed=0, stream=0) is None
    assert draw_noise_maps(make_stylegan3(), [0], seed=0, stream=0) is None


@pytest.mark.parametrize("make", [make_generator, make_progan])
def test_rendering_is_the_generators_own(make):
    g = make(c_dim=3)
    z, c = draw_samples(g, [0, 1, 2], seed=0, stream=0)
    assert torch.equal(render(g, z, c), g(z, c))
    noise = draw_noise_maps(g, [0, 1, 2], seed=0, stream=0)
    if noise is not None:
        assert torch.equal(render(g, z, c, noise), g(z, c, noise=noise))
        assert not torch.equal(render(g, z, c, noise), g(z, c))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"batch": 0}, "`batch` must be a whole number >= 1, but got 0"),
        ({"batch": 2.0}, "`batch` must be a whole number >= 1, but got 2.0"),
        ({"batch": True}, "`batch` must be a whole number >= 1, but got True"),
        ({"seed": -1}, "`seed` must be a whole number >= 0, but got -1"),
    ],
)
def test_counts_out_of_range_are_refused(counts, message):
    with pytest.raises(SettingsError, match=message):
        check_counts(**counts)
    check_counts(batch=1, seed=0, num_samples=np.int64(3))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_forked_processes_give_the_bits_of_one(monkeypatch):
    """Pictures, and what is kept of each batch; only the seconds are those of the run."""
    g, kept = make_generator(), [{}, {}]
    monkeypatch.setattr(workers, "_WORTH", 0.0)

    @torch.no_grad()
    def compute(samples):
        return {"images": render_samples(g, samples, 0, Stream.SAMPLE_GRID).numpy()}

    found, done = [], []
    for count, finished in zip((1, 3), kept, strict=True):
        workers.spread_over(count)
        found.append(
            in_batches(compute, range(18), 4, finished, lambda n, of: done.append((n, of)))
        )
    workers.spread_over(1)
    assert np.array_equal(found[0]["images"], found[1]["images"])
    assert kept[0].keys() == kept[1].keys()
    assert done[:5] == [(4, 18), (8, 18), (12, 18), (16, 18), (18, 18)]
    assert done[-1] == (18, 18)
