import copy

import numpy as np
import pytest
import torch

from latentlab import NumericalError, SettingsError
from latentlab.training.fakes import FakeSampler
from latentlab.training.presets import CONFIGS, ImageFormat, named_config
from latentlab.training.trainer import Trainer
from tests.training.trainers import make_trainer, networks_of, weights


@pytest.mark.parametrize(
    ("name", "base", "gamma"),
    [
        ("stylegan2-e", 16384, 100.0),
        ("stylegan2-f", 32768, 10.0),
    ],
)
def test_published_configs(name, base, gamma):
    config = named_config(name, ImageFormat(256, 3, 0))
    assert (config.generator.channel_base, config.discriminator.channel_base) == (base, base)
    assert (config.r1_gamma, config.r1_interval) == (gamma, 16)
    assert (config.path_length_weight, config.path_length_interval) == (2.0, 4)
    assert (config.batch, config.learning_rate, config.ema_kimg) == (32, 0.002, 10.0)
    assert (config.mixing_probability, config.w_mean_decay) == (0.9, 0.995)
    assert (config.path_length_decay, config.path_length_batch_shrink) == (0.01, 2)
    assert config.generator.architecture == "skip"
    assert config.discriminator.architecture == "resnet"


@pytest.mark.parametrize("name", list(CONFIGS))
def test_a_config_takes_the_format_of_the_data(name):
    config = named_config(name, ImageFormat(64, 1, 7))
    for network in (config.generator, config.discriminator):
        assert (network.resolution, network.channels, network.c_dim) == (64, 1, 7)


def test_an_unknown_config_is_named():
    with pytest.raises(SettingsError, match="stylegan2-f"):
        named_config("stylegan9", ImageFormat(32, 3, 0))


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


def test_mixing_cuts_at_every_layer_but_the_first(updates):
    trainer = make_trainer(mixing_probability=1.0)
    num_ws = trainer.generator.num_ws
    cuts = set()
    for seed in range(200):
        ws, _ = trainer.fakes.ws(1, torch.Generator().manual_seed(seed))
        cuts.add(int((ws[0] == ws[0, 0]).all(dim=1).sum()))
    assert cuts == set(range(1, num_ws))


def test_a_gradient_that_is_not_finite_stops_before_the_update():
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


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_styles_are_mixed_with_the_given_probability(probability):
    trainer = make_trainer(mixing_probability=probability)
    ws, _ = trainer.fakes.ws(4, torch.Generator().manual_seed(0))
    mixed = bool((ws != ws[:, :1]).any())
    assert mixed == bool(probability)


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


def test_a_loss_that_is_not_finite_stops_and_names_the_step():
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
