"""Snapshots whose tensors somebody has stored in half precision."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from latentlab import CheckpointError
from latentlab.training.log import TrainingLog
from latentlab.training.run import RunSettings, train
from latentlab.training.snapshots import resume
from tests.training.trainers import BATCH, make_trainer, weights

HALF = (torch.float16, torch.bfloat16)


def rewritten(path, change):
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(change(tensors), path, header)


@pytest.fixture
def folder(tmp_path):
    train(make_trainer(), RunSettings(tmp_path, 2 * BATCH, 2 * BATCH))
    return tmp_path


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_run_goes_on_from_halves_in_single_precision(folder, dtype):
    straight = make_trainer()
    assert resume(straight, folder) is not None
    for path in folder.glob("*.safetensors"):
        rewritten(path, lambda t: {key: x.to(dtype) for key, x in t.items()})
    trainer = make_trainer()
    assert isinstance(resume(trainer, folder), TrainingLog)
    for found, exact in zip(weights(trainer), weights(straight), strict=True):
        assert torch.equal(found, exact.to(dtype).float())
    for optimizer in (trainer.g_optimizer, trainer.d_optimizer):
        for state in optimizer.state_dict()["state"].values():
            assert {value.dtype for value in state.values()} == {torch.float32}
    assert trainer.mean_path_length.dtype == torch.float32
    train(trainer, RunSettings(folder, 4 * BATCH, 2 * BATCH))
    assert trainer.step == 4
    assert all(bool(torch.isfinite(weight).all()) for weight in weights(trainer))


@pytest.mark.parametrize("key", ["mean_path_length", "exp_avg"])
def test_moments_beyond_half_precision_are_refused(folder, key, caplog):
    (path,) = folder.glob("*.optimizer.safetensors")

    def spoilt(tensors):
        name = next(each for each in tensors if each.endswith(key))
        return {**tensors, name: torch.full_like(tensors[name], 1e6).half()}

    rewritten(path, spoilt)
    with pytest.raises(CheckpointError, match="none of its snapshots can be read"):
        resume(make_trainer(), folder)
    assert "holds NaN or infinity as torch.float16" in caplog.text
