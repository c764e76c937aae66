import copy

import numpy as np
import pytest
import torch

from latentlab import NumericalError
from latentlab.training.samplers import FakeSampler
from latentlab.training.trainer import Trainer
from tests.training.trainers import make_trainer, networks_of, weights


def test_equal_seeds_train_equally_and_others_do_not():
    runs = [make_trainer(seed) for seed in (1, 1, 2)]
    for trainer in runs:
        for _ in range(3):
            trainer.run_step()
    first, again, other = (weights(trainer) for trainer in runs)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_training_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    make_trainer().run_step()
    assert torch.equal(torch.get_rng_state(), before)


def test_regularisers_are_due_at_their_intervals():
    trainer = make_trainer(r1_interval=3, path_length_interval=2)
    due = [set(trainer.run_step()) for _ in range(7)]
    assert [i for i, names in enumerate(due) if "r1_penalty" in names] == [0, 3, 6]
    assert [i for i, names in enumerate(due) if "path_length" in names] == [0, 2, 4, 6]


@pytest.fixture
def updates(monkeypatch):
    """Every loss that an optimiser is given, by name, and the images that D scored."""
    seen = {}

    def record(self, optimizer, loss, name):
        seen[name] = (loss.item(), optimizer)

    monkeypatch.setattr(Trainer, "_update", record)  # no weights move: losses can be done again
    return seen


def test_losses_reach_the_optimisers_with_their_weights_and_intervals(updates):
    trainer = make_trainer(r1_gamma=3.0, r1_interval=16, path_length_interval=4)
    seen = trainer.run_step()
    loss, optimizer = updates["r1_penalty"]
    assert loss == pytest.approx(seen["r1_penalty"] * 3.0 / 2 * 16)
    assert optimizer is trainer.d_optimizer
    loss, optimizer = updates["path_length_penalty"]
    assert loss == pytest.approx(seen["path_length_penalty"] * 2.0 * 4)
    assert optimizer is trainer.g_optimizer
    assert updates["g_loss"] == (seen["g_loss"], trainer.g_optimizer)
    assert updates["d_loss"] == (seen["d_loss"], trainer.d_optimizer)


def test_path_lengths_are_measured_on_half_the_batch(updates, monkeypatch):
    counts = []
    original = FakeSampler.ws
    monkeypatch.setattr(
        FakeSampler, "ws", lambda self, n, *rest: counts.append(n) or original(self, n, *rest)
    )
    make_trainer(batch=6).run_step()
    assert counts == [6, 3, 6]  # G, path length, the fakes of D
    assert "path_length_penalty" in updates


def test_fakes_are_scored_with_their_own_labels(updates):
    trainer = make_trainer(labels=True, r1_gamma=0.0, path_length_weight=0.0)
    asked, mapped = [], []
    trainer.discriminator.register_forward_pre_hook(lambda _, given: asked.append(given[1]))
    trainer.generator.mapping.register_forward_pre_hook(lambda _, given: mapped.append(given[1]))
    trainer.run_step()
    _, labels = trainer.reals.batch(0, trainer.config.batch)
    of_g, of_fakes, of_reals = asked
    assert torch.equal(of_reals, labels)
    assert any(torch.equal(of_g, c) for c in mapped)
    assert torch.equal(of_fakes, mapped[-1])


def test_j08_a_gradient_that_is_not_finite_stops_before_the_update():
    trainer = make_trainer()
    weight = trainer.generator.synthesis.b4.const
    before = weight.detach().clone()
    weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(NumericalError, match=r"step 0: g_loss .* norm of its gradient"):
        trainer.run_step()
    assert torch.equal(weight, before)


def test_lazy_optimisers_are_corrected_for_the_interval():
    trainer = make_trainer(r1_interval=16, path_length_interval=4)
    for optimizer, interval in ((trainer.g_optimizer, 4), (trainer.d_optimizer, 16)):
        share = interval / (interval + 1)
        group = optimizer.param_groups[0]
        assert group["lr"] == pytest.approx(0.002 * share)
        assert group["betas"] == (0.0, pytest.approx(0.99**share))
        assert group["eps"] == 1e-8


def test_without_regulariser_the_optimiser_is_plain():
    trainer = make_trainer(r1_gamma=0.0, path_length_weight=0.0)
    for optimizer in (trainer.g_optimizer, trainer.d_optimizer):
        assert optimizer.param_groups[0]["lr"] == 0.002
    assert not {"r1_penalty", "path_length"} & set(trainer.run_step())


def test_the_average_has_the_published_half_life():
    trainer = make_trainer(ema_kimg=0.004, batch=4)  # half-life of one batch
    before = copy.deepcopy(trainer.ema_generator.state_dict())
    trainer.run_step()
    now = trainer.generator.state_dict()
    for name, parameter in trainer.ema_generator.named_parameters():
        torch.testing.assert_close(parameter, (before[name] + now[name]) / 2)
    for name, buffer in trainer.ema_generator.named_buffers():
        assert torch.equal(buffer, now[name])


def test_the_mean_of_w_follows_the_batches():
    trainer = make_trainer(path_length_weight=0.0, mixing_probability=0.0, w_mean_decay=0.5)
    seen = []
    mapping = trainer.generator.mapping
    handle = mapping.register_forward_hook(
        lambda _, __, ws: seen.append(ws[:, 0].detach().mean(dim=0).numpy())
    )
    trainer.run_step()
    handle.remove()
    expected = np.zeros(4)
    for mean in seen:
        expected = 0.5 * expected + 0.5 * mean
    np.testing.assert_allclose(mapping.w_avg, expected, rtol=1e-5)
    assert len(seen) == 2  # once for G, once for the fakes of D


def test_each_network_is_trained_by_its_own_loss():
    trainer = make_trainer(r1_gamma=0.0, path_length_weight=0.0)
    before = [value.clone() for value in weights(trainer)]
    trainer.run_step()
    changed = [not torch.equal(a, b) for a, b in zip(weights(trainer), before, strict=True)]
    names = [name for network in networks_of(trainer) for name in network.state_dict()]
    still = {n for n, moved in zip(names, changed, strict=True) if not moved}
    constant = ("resample_filter", "noise_const")
    assert {name for name in still if not name.endswith(constant)} == set()
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


def test_a_conditional_model_trains_on_labels():
    trainer = make_trainer(labels=True)
    losses = trainer.run_step()
    assert all(np.isfinite(value) for value in losses.values())
    assert trainer.generator.c_dim == trainer.discriminator.config.c_dim == 10


def test_j08_a_loss_that_is_not_finite_stops_and_names_the_step():
    trainer = make_trainer()
    trainer.run_step()
    trainer.discriminator.b4.out.bias.data.fill_(float("nan"))
    before = copy.deepcopy(trainer.generator.state_dict())
    with pytest.raises(NumericalError, match="step 1"):
        trainer.run_step()
    for name, parameter in trainer.generator.named_parameters():
        assert torch.equal(parameter, before[name])


def test_the_loss_falls_for_a_discriminator_against_a_still_generator():
    trainer = make_trainer(path_length_weight=0.0, learning_rate=0.01)
    trainer.g_optimizer.param_groups[0]["lr"] = 0.0
    seen = [trainer.run_step()["d_loss"] for _ in range(30)]
    assert np.mean(seen[-5:]) < 0.5 * np.mean(seen[:5])


@pytest.fixture
def calls(monkeypatch):
    """The updates and averages of an iteration in their order."""
    seen = []
    update, average = Trainer._update, Trainer._average_generator

    def record(self, optimizer, loss, name):
        seen.append(name)
        update(self, optimizer, loss, name)

    monkeypatch.setattr(Trainer, "_update", record)
    monkeypatch.setattr(
        Trainer, "_average_generator", lambda t, phase: seen.append("average") or average(t, phase)
    )
    return seen


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stylegan1", ["d_loss", "average", "g_loss"]),
        ("stylegan1-wgan", ["d_loss", "average", "g_loss"]),
        ("progan", ["d_loss", "average", "g_loss"]),
        ("stylegan2-a", ["g_loss", "d_loss", "average"]),
        ("stylegan2-b", ["g_loss", "d_loss", "average"]),
        ("stylegan2-c", ["g_loss", "d_loss", "r1_penalty", "average"]),
        ("stylegan2-d", ["g_loss", "path_length_penalty", "d_loss", "r1_penalty", "average"]),
        ("stylegan2-f", ["g_loss", "path_length_penalty", "d_loss", "r1_penalty", "average"]),
    ],
)
def test_the_order_of_an_iteration(name, expected, calls):
    make_trainer(name=name).run_step()
    assert calls == expected
