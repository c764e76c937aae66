"""What the reader makes of sound files of torch.save, in both layouts."""

import argparse
import io
from collections import OrderedDict

import pytest
import torch

from latentlab.checkpoints.pickles.reader import Record
from latentlab.checkpoints.pickles.torch_save import read_torch
from tests.support import attacks

LAYOUTS = {"zip": True, "stream": False}


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def saved(request, tmp_path):
    """Save with torch and read again."""

    def run(value, **settings):
        path = tmp_path / "model.pt"
        torch.save(value, path, _use_new_zipfile_serialization=request.param, **settings)
        return read_torch(path)

    return run


TENSORS = {
    "float": torch.arange(6.0).reshape(2, 3),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "slice": torch.arange(10.0)[3:7:2],
    "number": torch.tensor(2.5),
    "empty": torch.zeros(0, 5),
    "channels last": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
    "repeated": torch.arange(3.0).expand(1, 3),
    **{str(kind): torch.tensor([1, 0, 3]).to(kind)
       for kind in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32,
                    torch.int16, torch.int8, torch.uint8, torch.bool)},
}  # fmt: skip


@pytest.mark.parametrize("value", TENSORS.values(), ids=TENSORS)
def test_tensors_arrive_as_they_are(value, saved):
    found = saved({"x": value})["x"]
    assert found.dtype == value.dtype
    assert torch.equal(found, value)
    assert found.is_contiguous()
    assert found.untyped_storage().nbytes() == value.numel() * value.element_size()


def test_views_of_one_storage_become_tensors_of_their_own(saved):
    whole = torch.arange(12.0).reshape(3, 4)
    found = saved([whole, whole[1], whole[:, 1:3], whole[2, 3], torch.ones(2), whole.T])
    expected = [whole, whole[1], whole[:, 1:3], whole[2, 3], torch.ones(2), whole.T]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert len({tensor.untyped_storage().data_ptr() for tensor in found}) == len(found)


def test_state_dicts_arrive_with_their_settings(saved):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    args = argparse.Namespace(size=256, lr=0.002, path="lmdb", wandb=None, mixing={"a": [1]})
    value = {"g": module.state_dict(), "g_optim": optimizer.state_dict(), "args": args, "p": 0.5}
    found = saved(value)
    assert type(found["g"]) is dict
    assert list(found["g"]) == list(value["g"])
    assert all(torch.equal(found["g"][name], tensor) for name, tensor in value["g"].items())
    assert type(found["args"]) is Record
    assert (found["args"].origin, found["args"].class_name) == ("argparse", "Namespace")
    assert found["args"].state == vars(args)
    assert torch.equal(
        found["g_optim"]["state"][0]["exp_avg"], value["g_optim"]["state"][0]["exp_avg"]
    )
    assert found["g_optim"]["param_groups"] == value["g_optim"]["param_groups"]
    assert found["p"] == 0.5


def test_parameters_arrive_as_tensors_and_sets_as_sets(saved):
    found = saved({"x": torch.nn.Parameter(torch.ones(2)), "s": {"a", "b"}, "n": (1, None, True)})
    assert type(found["x"]) is torch.Tensor
    assert torch.equal(found["x"], torch.ones(2))
    assert (found["s"], found["n"]) == ({"a", "b"}, (1, None, True))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_every_protocol_is_read(protocol, saved):
    found = saved(OrderedDict(x=torch.ones(3)), pickle_protocol=protocol)
    assert torch.equal(found["x"], torch.ones(3))


def test_old_optimisers_name_parameters_by_their_addresses(saved):
    address = 140_352_943_746_384
    assert saved({"state": {address: {"step": 1}}}) == {"state": {address: {"step": 1}}}


@pytest.mark.parametrize("name", ["model.pt", "run 12:30.model", "модель.pth", "no_ending"])
def test_the_name_of_the_file_is_of_no_account(name, tmp_path):
    torch.save({"x": torch.ones(2)}, tmp_path / name)
    assert torch.equal(read_torch(tmp_path / name)["x"], torch.ones(2))


def test_the_assembled_parts_are_genuine(tmp_path):
    """So that the refusals elsewhere have one reason each.

    torch writes the sizes of a zip member behind it, other programs in front of it.
    """
    for content in (attacks.archive(), attacks.streamed()):
        (tmp_path / "x.pt").write_bytes(content)
        assert torch.equal(read_torch(tmp_path / "x.pt")["x"], torch.tensor([1.0, 2, 3]))
        theirs = torch.load(io.BytesIO(content), weights_only=True)
        assert torch.equal(theirs["x"], torch.tensor([1.0, 2, 3]))


GENUINE = {"ros2_32.pt": 4, "ros1_1024.model": 3, "yuuho2_32.pth": 77}


def flat(value, prefix=""):
    """All tensors below a dict, by their paths."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield from flat(item, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", item


@pytest.mark.parametrize("file", GENUINE)
def test_genuine_files_are_read_as_torch_reads_them(file, shared, tmp_path):
    found = read_torch(shared / file)
    assert len(found) == GENUINE[file]
    theirs = torch.load(shared / file, weights_only=True)
    torch.save(theirs, tmp_path / "stream", _use_new_zipfile_serialization=False)
    for ours in (found, read_torch(tmp_path / "stream")):
        pairs = dict(flat(ours))
        assert pairs.keys() == dict(flat(theirs)).keys()
        assert all(torch.equal(pairs[name], tensor) for name, tensor in flat(theirs))


def test_positions_count_from_the_start_of_the_file(tmp_path):
    content = attacks.archive(attacks.plain({"a": attacks.name("os", "system")}))
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(Exception, match=f"byte {content.index(b'cos')}: asks for os.system"):
        read_torch(tmp_path / "x.pt")
