"""Rows of one process; two processes that torchrun starts train like one."""

from dataclasses import replace

import pytest
import torch

from latentlab import SettingsError, distributed
from latentlab.networks.ops import minibatch_std
from latentlab.training.parallel import Rows, check_batches
from latentlab.training.presets import ImageFormat, named_config
from tests.support.torchrun import facts_of_two

# In float64 there is next to no rounding for Adam to make large, which divides small gradients by
# themselves.
SCRIPT = """
import hashlib, json, os, pathlib, sys
from dataclasses import replace
import torch
from latentlab import ImageError, LatentlabError, NumericalError, SettingsError, distributed
from latentlab.networks import ops
from latentlab.training.run import RunSettings, train
from tests.training.trainers import QUICK_GROWTH, make_trainer, networks_of, weights

folder = pathlib.Path(sys.argv[1])
GROWTH = replace(QUICK_GROWTH, batches=())
CASES = {
    "stylegan2-small": {"labels": True},
    "stylegan2-d": {"growth": GROWTH},
    "stylegan1-small": {"growth": GROWTH},
    "stylegan1-wgan": {"growth": GROWTH, "labels": True},
    "progan-small": {"growth": GROWTH},
}

def trainer_of(name, dtype=torch.float64, **changes):
    trainer = make_trainer(name=name, **{"batch": 8, **changes})
    for network in networks_of(trainer):
        network.to(dtype)
    trainer.mean_path_length = trainer.mean_path_length.to(dtype)
    image = trainer.dataset.image
    trainer.dataset.image = lambda i: image(i).to(dtype)
    return trainer

def trained(name, steps=6, **changes):
    trainer = trainer_of(name, **changes)
    losses = [trainer.run_step() for _ in range(steps)]
    return losses, [*weights(trainer), trainer.mean_path_length], trainer.images_seen

def digest(values):
    return hashlib.sha256(b"".join(v.contiguous().numpy().tobytes() for v in values)).hexdigest()

def furthest(one, two):
    return max(float((a - b).abs().max()) for a, b in zip(one, two, strict=True))

if os.environ["RANK"] == "0":  # the other's results are compared with the first one's
    alone = {name: trained(name, **changes) for name, changes in CASES.items()}
    three = trained("stylegan2-small", batch=6, path_length_interval=1)
facts = {"losses": {}, "weights": {}, "digests": {}, "images": {}}
with distributed.joined():
    rank = distributed.rank()
    for name, changes in CASES.items():
        losses, values, images = trained(name, **changes)
        facts["digests"][name] = digest([*values, torch.tensor(images)])
        if rank == 0:
            facts["losses"][name] = max(
                abs(one[key] - two[key]) / max(abs(one[key]), 1e-3)
                for one, two in zip(alone[name][0], losses, strict=True) for key in one
            )
            facts["weights"][name] = furthest(alone[name][1], values)
            facts["images"][name] = images - alone[name][2]

    # Three path lengths for two processes; groups of three for both minibatch deviations.
    uneven = trained("stylegan2-small", batch=6, path_length_interval=1)
    facts["digests"]["uneven"] = digest(uneven[1])
    if rank == 0:
        facts["uneven"] = furthest(three[1], uneven[1])

    try:
        make_trainer(batch=9)
    except SettingsError as error:
        facts["odd"] = str(error)

    trainer = trainer_of("stylegan2-small")
    if rank == 1:
        weight = trainer.generator.synthesis.b4.const
        weight.register_hook(lambda gradient: gradient * float("nan"))
    before = digest(p.detach() for p in trainer.generator.parameters())
    try:
        trainer.run_step()
    except NumericalError as error:
        after = digest(p.detach() for p in trainer.generator.parameters())
        facts["nan"] = str(error), after == before

    # A bad picture of the second process; the first one stops as well, and saves.
    settings, said = RunSettings(folder / "run", 24, 24), []
    trainer = make_trainer(batch=8)
    place = int(trainer.reals._index(8 + 1))
    image = trainer.dataset.image
    def bad(index):
        if index == place:
            raise ImageError("x.png: truncated")
        return image(index)
    trainer.dataset.image = bad
    try:
        train(trainer, settings)
    except ImageError as error:
        facts["bad"] = str(error), error.__notes__, trainer.step
    facts["saved"] = sorted(file.name for file in settings.folder.iterdir())
    distributed.barrier()

    # Mended, it goes on; a stop that one process is asked for stops both.
    trainer = make_trainer(batch=8)
    train(trainer, settings, should_stop=lambda: rank == 1 and trainer.step == 2)
    facts["stopped"] = trainer.step
    trainer = make_trainer(batch=8)
    train(trainer, settings)
    facts["step"] = trainer.step

    trainer = make_trainer(seed=rank, batch=8)
    try:
        train(trainer, RunSettings(folder / f"other-{rank}", 24, 24))
    except SettingsError as error:
        facts["unlike"] = str(error)
pathlib.Path(folder, f"{rank}.json").write_text(json.dumps(facts))
"""


def test_one_process_has_all_rows():
    rows = Rows(3)
    drawn = torch.arange(6).reshape(3, 2)
    assert torch.equal(rows.of(drawn), drawn)
    assert (rows.count, rows.weight) == (3, 1)
    assert rows.mean(torch.tensor([1.0, 2.0, 6.0])) == 3


@pytest.fixture
def process_2_of_3(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 3)
    monkeypatch.setattr(distributed, "rank", lambda: 2)


@pytest.mark.usefixtures("process_2_of_3")
class TestProcess2Of3:
    def test_rows_are_strided(self):
        rows = Rows(7)
        assert rows.of(torch.arange(7)).tolist() == [2, 5]
        assert rows.weight == pytest.approx(2 / 7)

    def test_a_process_without_rows_has_no_weight(self):
        rows = Rows(2)
        assert rows.of(torch.tensor([5, 6])).tolist() == [5]
        assert rows.part(torch.tensor(3.0)) == 0

    def test_batches_that_do_not_divide_are_named(self):
        config = named_config("progan", ImageFormat(1024, 3, 0))
        assert config.batches() == {16, 14, 6, 3}
        with pytest.raises(SettingsError, match=r"14, 16 cannot be .* 3 processes.* `batch` of 15"):
            check_batches(config)
        whole = replace(config.growth, batches=((8, 48), (512, 24)))
        one_group = replace(config.discriminator, mbstd_group_size=4)
        check_batches(replace(config, growth=whole, batch=12, discriminator=one_group))

    @pytest.mark.parametrize(("batch", "size", "said"), [
        (6, 4, "batch` 6 dealt out to 3 processes .* 2 pictures .* of 3; .*, or a `batch` of 12$"),
        (48, None, "batch` 48 .* 16 pictures with each other instead of 48; take fewer "
                   "processes$"),
    ])  # fmt: skip
    def test_groups_that_would_be_torn_are_named(self, batch, size, said):
        config = named_config("stylegan2-f", ImageFormat(1024, 3, 0))
        grouped = replace(config.discriminator, mbstd_group_size=size)
        config = replace(config, batch=batch, discriminator=grouped)
        with pytest.raises(SettingsError, match=said):
            check_batches(config)
        check_batches(replace(config, discriminator=replace(grouped, mbstd_num_channels=0)))

    def test_whole_groups_are_those_of_the_whole_batch(self):
        x = torch.randn(24, 2, 4, 4, dtype=torch.float64)
        rows = Rows(24)
        torch.testing.assert_close(minibatch_std(rows.of(x), 4), rows.of(minibatch_std(x, 4)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def facts(folder):
    """What two processes found, by rank."""
    return facts_of_two(SCRIPT, folder)


def test_two_processes_train_as_one_but_for_rounding(facts):
    assert len(facts[0]["weights"]) == 5
    # A bias before StyleGAN's first instance norm has a gradient of 0, so that all there is of it
    # is rounding, which Adam makes 1e-6.
    assert max(facts[0]["weights"].values()) < 1e-5
    assert facts[0]["weights"]["stylegan2-small"] < 1e-12
    assert max(facts[0]["losses"].values()) < 1e-11
    assert set(facts[0]["images"].values()) == {0}
    assert facts[0]["digests"] == facts[1]["digests"]


def test_a_batch_that_does_not_deal_out_evenly_is_weighted(facts):
    assert facts[0]["uneven"] < 1e-12


def test_a_batch_that_does_not_fit_is_refused(facts):
    for each in facts:
        assert each["odd"].startswith("`batch` 9 cannot be dealt out to 2 processes evenly")


def test_a_gradient_that_is_not_finite_stops_all_before_the_update(facts):
    assert facts[0]["nan"] == facts[1]["nan"]
    assert "step 0: g_loss" in facts[0]["nan"][0]
    assert facts[0]["nan"][1], "weights have changed"


def test_a_bad_picture_of_one_process_stops_all_where_they_can_continue(facts):
    for each in facts:
        assert each["bad"] == ["x.png: truncated", ["process 1 of 2"], 1]
        assert "snapshot-000000008.optimizer.safetensors" in each["saved"]
        assert not [name for name in each["saved"] if name.startswith(".")]
        assert each["stopped"] == 2
        assert each["step"] == 3


def test_processes_that_do_not_start_alike_are_refused(facts, folder):
    for each in facts:
        assert (
            "process 1 starts from 0 images and process 0 from 0, or with other" in each["unlike"]
        )
    assert not list(folder.glob("other-*/snapshot-*"))
