"""Training while the networks grow."""

import copy

import numpy as np
import pytest
import torch

from latentlab.training.schedule import faded
from tests.training.trainers import make_trainer

GROWING = ["stylegan1-small", "progan-small", "stylegan2-a", "stylegan2-b", "stylegan2-c",
           "stylegan2-d", "stylegan1-a", "stylegan1-b", "stylegan1-c", "stylegan1-d",
           "stylegan1-e"]  # fmt: skip


def changed_names(network, before):
    return {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}


def trained_names(network):
    """Names of the weights, without those of layers that nothing trains."""
    return {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("labels", [False, True])
def test_layers_above_the_resolution_grown_to_are_left_alone(name, labels):
    trainer = make_trainer(name=name, labels=labels, mixing_probability=1.0)
    networks = trainer.generator, trainer.discriminator
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    trainer.run_step()  # at 8x8
    trainer.run_step()
    for network, old in zip(networks, before, strict=True):
        changed = changed_names(network, old) - {"lod", "synthesis.lod", "mapping.w_avg"}
        waiting = ("b16.", "b32.", "b4.torgb", "b4.fromrgb")
        inactive = {n for n in trained_names(network) if any(part in n for part in waiting)}
        assert len(inactive) > 4
        assert changed == trained_names(network) - inactive


@pytest.mark.parametrize("name", GROWING)
def test_all_layers_are_trained_by_the_time_the_networks_are_grown(name):
    trainer = make_trainer(name=name)
    networks = trainer.generator, trainer.discriminator, trainer.ema_generator
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    while trainer.images_seen < 44:
        losses = trainer.run_step()
        assert all(np.isfinite(value) for value in losses.values())
    assert trainer.lod == trainer.ema_generator.synthesis.lod == 0
    for network, old in zip(networks, before, strict=True):
        unused = {n for n in trained_names(network) if "b4.torgb" in n or "b4.fromrgb" in n}
        assert trained_names(network) - changed_names(network, old) == unused


def test_lod_batch_and_learning_rate_follow_the_schedule():
    trainer = make_trainer(name="stylegan2-d", r1_interval=4, path_length_interval=4)
    seen = []
    while trainer.images_seen < 44:
        before = trainer.images_seen
        trainer.run_step()
        rates = [o.param_groups[0]["lr"] for o in (trainer.g_optimizer, trainer.d_optimizer)]
        seen.append((trainer.lod, trainer.images_seen - before, *rates))
        assert trainer.generator.synthesis.lod == trainer.ema_generator.synthesis.lod == trainer.lod
    lods = [2, 2, 4 / 3, 1, 1, 1, 2 / 3, 1 / 2, 1 / 3, 1 / 6, 0, 0]
    resolutions = [32 >> int(lod) for lod in lods]
    batches, rates = {8: 8, 16: 4, 32: 2}, {8: 0.001, 16: 0.004, 32: 0.001}
    for (lod, batch, *own), expected, size in zip(seen, lods, resolutions, strict=True):
        assert lod == pytest.approx(expected)
        assert batch == batches[size]
        assert own == pytest.approx([rates[size] * 4 / 5] * 2)  # both are lazily regularised


def test_optimisers_forget_whenever_blending_begins_or_ends():
    trainer = make_trainer(name="stylegan1-small", r1_interval=1)
    ages = []
    while trainer.images_seen < 44:
        trainer.run_step()
        of_each = [
            {int(state["step"]) for state in optimizer.state.values()}
            for optimizer in (trainer.g_optimizer, trainer.d_optimizer)
        ]
        assert of_each[0] == of_each[1]
        ages += [of_each[0]]
    # lod is 2, 2, 1.3, 1, 1, 1, 0.7, 0.5, 0.3, 0.2, 0, 0
    assert ages == [{n} for n in (1, 2, 1, 1, 2, 3, 1, 2, 3, 4, 1, 2)]


def test_networks_that_do_not_grow_keep_their_moments():
    trainer = make_trainer(r1_gamma=0.0, path_length_weight=0.0)
    for _ in range(3):
        trainer.run_step()
    assert {int(state["step"]) for state in trainer.d_optimizer.state.values()} == {3}


def test_the_discriminator_sees_real_images_as_they_fade(monkeypatch):
    trainer = make_trainer(name="stylegan1-small")
    trainer.images_seen = 17
    lod = trainer.config.phase(17).lod
    scored = []
    trainer.discriminator.register_forward_pre_hook(lambda _, given: scored.append(given[0]))
    trainer.run_step()
    reals, _ = trainer.reals.batch(17, 4)
    assert 1 < lod < 2
    assert torch.equal(scored[1], faded(reals, lod))


def test_the_average_may_have_a_decay_of_its_own():
    trainer = make_trainer(name="progan-small", ema_decay=0.75)
    before = copy.deepcopy(trainer.ema_generator.state_dict())
    trainer.run_step()  # D first: the average of this iteration is of the initial G
    now = copy.deepcopy(trainer.generator.state_dict())
    trainer.run_step()
    for name, parameter in trainer.ema_generator.named_parameters():
        torch.testing.assert_close(parameter, 0.75 * before[name] + 0.25 * now[name])


@pytest.mark.parametrize("name", ["stylegan1-small", "progan-small", "stylegan2-d"])
def test_conditional_models_grow(name):
    trainer = make_trainer(name=name, labels=True)
    while trainer.images_seen < 26:
        losses = trainer.run_step()
        assert all(np.isfinite(value) for value in losses.values())


def test_fakes_take_the_labels_of_the_reals_they_are_mixed_with():
    trainer = make_trainer(name="progan-small", labels=True)
    asked = []
    trainer.discriminator.register_forward_pre_hook(lambda _, given: asked.append(given[1]))
    trainer.run_step()
    _, labels = trainer.reals.batch(0, 8)
    of_fakes, of_reals, of_mixed, of_g = asked
    assert torch.equal(of_fakes, labels)
    assert torch.equal(of_reals, labels)
    assert torch.equal(of_mixed, labels)
    assert not torch.equal(of_g, labels)
