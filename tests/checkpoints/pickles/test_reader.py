"""What the reader makes of sound pickles."""

import io
import math
import pickle

import numpy as np
import pytest
import torch

from latentlab.checkpoints.pickles.reader import Record, read_pickle
from latentlab.checkpoints.systems.torch_modules import state_dict_of
from tests.support import attacks
from tests.support.attacks import finish

PROTOCOLS = [2, 3, 4, 5]


# Sound pickles.


VALUES = {
    "plain": {"a": [1, -1, 255, 65536, 2**40, -(2**1000), 1.5, None, True, False], "b": ((), "x")},
    "text": ["", "é\n" * 200, "x" * 70_000],
    "bytes": [b"", b"\x00\xff", b"y" * 70_000],
    "sets": {"s": set(), "t": {"a", "b"}},
    "shared": [[1]] * 3,
    "number keys": {3: "a", -5: "b"},
    "tuples": [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
}  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_plain_values_arrive_as_they_are(value, protocol, read):
    if protocol == 2 and value is VALUES["bytes"]:
        value = value[1:]  # protocol 2 writes empty bytes as a call of `bytes`
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype="f4").reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3, "i2"), np.ones((3, 4), "u1"), np.array([True, False]), np.float16([1, 2]),
    ],
)  # fmt: skip
def test_arrays_arrive_as_they_are(value, protocol, read):
    first, second = read(pickle.dumps([value, value], protocol))
    assert first is second
    assert first.dtype == value.dtype
    np.testing.assert_array_equal(first, value)
    assert not first.flags.writeable  # a view of the file's bytes


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(math.pi), np.int64(-3), np.bool_(1)])
def test_numpy_numbers_arrive_as_pythons(value, protocol, read):
    found = read(pickle.dumps(value, protocol))
    assert found == value
    assert type(found) in (int, float, bool)


@pytest.mark.parametrize("old", [True, False])
def test_both_names_of_numpys_core_are_known(old, read):
    content = pickle.dumps(np.arange(3), 2)
    assert b"numpy._core" in content
    content = content.replace(b"numpy._core", b"numpy.core") if old else content
    np.testing.assert_array_equal(read(content), [0, 1, 2])
    name = attacks.name("numpy.core.numeric" if old else "numpy._core.numeric", "_frombuffer")
    np.testing.assert_array_equal(read(finish(attacks.buffer(function=name), 5)), [1, 2])


def test_protocol_5_holds_arrays_as_buffers(read):
    """Read-only arrays are bytes there, others a bytearray; neither can be written to here."""
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    content = pickle.dumps([fixed, np.arange(3.0)], 5)
    assert content.count(b"_frombuffer") == 1
    assert content.count(b"\x96" + (24).to_bytes(8, "little")) == 1
    for found in read(content):
        np.testing.assert_array_equal(found, [0.0, 1, 2])
        assert not found.flags.writeable


TENSORS = {
    "float": torch.arange(6.0).reshape(2, 3),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "slice": torch.arange(10.0)[3:7:2],
    "number": torch.tensor(2.5),
    "empty": torch.zeros(0, 5),
    "half": torch.tensor([1.5, -2]).half(),
    "bfloat16": torch.tensor([1.5, -2]).bfloat16(),
    "double": torch.tensor([1.5, -2]).double(),
    **{str(kind): torch.tensor([1, 0, 1]).to(kind)
       for kind in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)},
}  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", TENSORS.values(), ids=TENSORS)
def test_tensors_arrive_as_they_are(value, protocol, read):
    found = read(pickle.dumps(value, protocol))
    assert found.dtype == value.dtype
    assert torch.equal(found, value)
    assert found.is_contiguous()


def test_parameters_arrive_as_tensors(read):
    found = read(pickle.dumps(torch.nn.Parameter(torch.ones(2, 2)), 4))
    assert type(found) is torch.Tensor
    assert torch.equal(found, torch.ones(2, 2))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("make", [torch.ones, lambda n: torch.nn.Parameter(torch.ones(n))])
def test_tensors_with_attributes_arrive_without_them(make, protocol, read):
    value = make(3)
    value.note = {"a": 1}
    content = pickle.dumps(value, protocol)
    assert b"_rebuild_from_type_v2" in content or b"_with_state" in content
    found = read(content)
    assert type(found) is torch.Tensor
    assert torch.equal(found, torch.ones(3))
    assert not hasattr(found, "note")


def test_arrays_of_dill_arrive_as_they_are(read):
    found = read(finish(attacks.dill_array()))
    np.testing.assert_array_equal(found, np.float32([1, 2]))


def test_modules_of_torch_are_records(read):
    """Such as stand in snapshots of forks, among modules that carry their source."""
    layer = torch.nn.utils.spectral_norm(torch.nn.Conv2d(2, 3, 1))
    record = read(pickle.dumps(torch.nn.Sequential(layer, torch.nn.ReLU()), 4))
    assert record.called == "torch.nn.modules.container.Sequential"
    assert record.is_module
    found = state_dict_of(record, "x")
    expected = torch.nn.Sequential(layer).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_assembled_parts_are_genuine(read):
    """So that the refusals below have one reason each."""
    assert torch.equal(read(finish(attacks.tensor())), torch.tensor([1.0, 2, 3]))
    np.testing.assert_array_equal(read(finish(attacks.array())), np.float32([1, 2]))
    np.testing.assert_array_equal(read(finish(attacks.buffer(), 5)), np.float32([1, 2]))
    record = read(finish(attacks.module(a=1)))
    assert (record.origin, record.class_name, record.state["a"]) == ("torch", "Generator", 1)
    record = read(finish(attacks.network(build_func_name="G_main")))
    assert (record.origin, record.state) == ("tensorflow", {"build_func_name": "G_main"})
    assert pickle.loads(finish(attacks.tensor())).tolist() == [1, 2, 3]
    assert pickle.loads(finish(attacks.array(kind=attacks.dtype()))).tolist() == [1, 2]


def kinds_within(value):
    met, todo, kinds = set(), [value], set()
    while todo:
        item = todo.pop()
        kinds.add(type(item))
        if id(item) in met:
            continue
        met.add(id(item))
        if isinstance(item, dict):
            todo += list(item.values())
        elif isinstance(item, list | tuple):
            todo += list(item)
        elif isinstance(item, Record):
            todo.append(item.state)
    return kinds


PLAIN = {dict, list, tuple, set, str, int, float, bool, bytes, type(None)}
GENUINE = {
    "ada_skip_32": 5, "ada_cond_32": 5, "sg3t_32": 5, "sg1_32": 3, "sg1_32_lod": 3,
    "sg1_128_fused": 3, "sg2_skip_32": 3, "sg2_resnet_32": 3, "pgan_32": 3,
}  # fmt: skip


@pytest.mark.parametrize("file", GENUINE)
def test_genuine_files_are_read_whole(file, shared):
    found = read_pickle(shared / f"{file}.pkl")
    assert len(found) == GENUINE[file]
    assert kinds_within(found) <= PLAIN | {Record, torch.Tensor, np.ndarray}


def test_tensorflow_variables_are_those_of_the_file(shared):
    """Compared with Python's own unpickler, which runs the stand-in class given to it."""

    class Network:
        def __setstate__(self, state):
            self.state = state

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, called):
            return Network if called == "Network" else super().find_class(module, called)

    for file in ("sg1_32", "sg2_skip_32", "pgan_32", "classifier_00_dbasic"):
        path = shared / f"{file}.pkl"
        ours, theirs = read_pickle(path), Unpickler(io.BytesIO(path.read_bytes())).load()
        pairs = list(zip(ours, theirs, strict=True)) if type(ours) is tuple else [(ours, theirs)]
        for record, network in pairs:
            assert record.state.keys() == network.state.keys()
            assert record.state["build_func_name"] == network.state["build_func_name"]
            assert record.state["static_kwargs"] == network.state["static_kwargs"]
            for (a, value), (b, genuine) in zip(
                record.state["variables"], network.state["variables"], strict=True
            ):
                assert a == b
                np.testing.assert_array_equal(value, genuine)
            for key, part in record.state["components"].items():
                pairs.append((part, network.state["components"][key]))
