import pytest
import torch

from tests.training.trainers import make_trainer


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def cut_of(ws):
    """How many layers have the w of the first; all without mixing."""
    return int((ws[0] == ws[0, 0]).all(dim=1).sum())


@pytest.mark.parametrize("name", ["stylegan2-small", "stylegan1-small"])
def test_mixing_cuts_at_every_layer_but_the_first(name):
    trainer = make_trainer(name=name, mixing_probability=1.0)
    cuts = {cut_of(trainer.fakes.ws(1, rng(seed))[0]) for seed in range(200)}
    assert cuts == set(range(1, trainer.generator.num_ws))


@pytest.mark.parametrize("name", ["stylegan1-small", "stylegan2-d"])
@pytest.mark.parametrize(("lod", "layers"), [(3.0, 2), (2.0, 4), (1.5, 6), (1.0, 6), (0.3, 8)])
def test_mixing_cuts_within_the_layers_grown_so_far(name, lod, layers):
    trainer = make_trainer(name=name, mixing_probability=1.0)
    trainer.generator.synthesis.set_lod(lod)
    cuts = {cut_of(trainer.fakes.ws(1, rng(seed))[0]) for seed in range(200)}
    assert cuts == set(range(1, layers))


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_styles_are_mixed_with_the_given_probability(probability):
    trainer = make_trainer(mixing_probability=probability)
    ws, _ = trainer.fakes.ws(4, rng())
    mixed = bool((ws != ws[:, :1]).any())
    assert mixed == bool(probability)


def test_one_coin_and_one_cut_serve_the_whole_batch():
    trainer = make_trainer(name="stylegan1-small", mixing_probability=0.5)
    seen = set()
    for seed in range(50):
        ws, _ = trainer.fakes.ws(3, rng(seed))
        cuts = {cut_of(ws[i : i + 1]) for i in range(3)}
        assert len(cuts) == 1
        seen |= cuts
    assert len(seen) > 2


@pytest.mark.parametrize("name", ["stylegan2-small", "stylegan1-small", "progan-small"])
@pytest.mark.parametrize("labels", [True, False])
def test_images_come_with_the_labels_they_were_made_of(name, labels):
    trainer = make_trainer(name=name, labels=labels)
    c_dim = trainer.dataset.c_dim
    images, drawn = trainer.fakes.images(3, rng())
    assert (list(images.shape), list(drawn.shape)) == ([3, 1, 32, 32], [3, c_dim])
    given = torch.eye(c_dim)[[4, 4, 2]] if labels else torch.zeros(3, 0)
    _, kept = trainer.fakes.images(3, rng(), given)
    assert kept is given


def test_images_of_a_progressive_gan_follow_the_label():
    trainer = make_trainer(name="progan-small", labels=True)
    first, again, other = (
        trainer.fakes.images(1, rng(), torch.eye(10)[[label]])[0] for label in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
