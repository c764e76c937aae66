"""Tensors, storages and arrays in pickles that are not what they say."""

import pytest

from latentlab import CheckpointError
from tests import attacks
from tests.attacks import call, finish, octets, plain, text

# D9-D11 are rows of the project's list of damage.


@pytest.mark.parametrize(
    "geometry",
    [
        {"offset": -1}, {"offset": 1}, {"offset": 2**62}, {"offset": 2**70}, {"offset": 1.0},
        {"size": (4,)}, {"size": (2,), "stride": (3,)}, {"stride": (-1,)}, {"size": (-3,)},
        {"size": (4,), "stride": (0,)}, {"size": (2**40,), "stride": (0,)},
        {"size": (2**62, 2**62), "stride": (0, 0)},
        {"size": (1,) * 9, "stride": (1,) * 9}, {"size": (1,) * 64, "stride": (1,) * 64},
        {"size": (3, 1)}, {"size": [3]}, {"size": 3}, {"size": (True,)}, {"size": (3.0,)},
        {"size": (0,), "offset": 4}, {"size": (1, 3), "stride": (2**70, 1)}, {"size": ("3",)},
    ],
)  # fmt: skip
def test_d9_tensors_that_reach_outside(geometry, check_refused):
    check_refused(finish(attacks.tensor(**geometry)), CheckpointError)


IDENTITY = plain(("storage", attacks.name("torch", "FloatStorage"), "0", "cpu", 3, None)) + b"Q"


# Strides are products of sizes, zeros left aside, and overflow where nothing is stored.
@pytest.mark.parametrize("size", [(0, 2**62, 2**62), (0, 2**40, 2**40), (2**62, 2, 0), (0, 2**61)])
@pytest.mark.parametrize("form", ["nested", "archive", "stream"])
def test_d9_empty_tensors_of_sizes_beyond_memory(form, size, check_refused, check_torch_refused):
    geometry = {"size": size, "stride": (0,) * len(size)}
    words = (CheckpointError, "no memory can have")
    if form == "nested":
        check_refused(finish(attacks.tensor(**geometry)), *words)
    elif form == "archive":
        found = plain({"x": attacks.archived(**geometry)})
        check_torch_refused(attacks.archive(found), *words)
    else:
        found = plain({"x": attacks.archived(source=IDENTITY, **geometry)})
        check_torch_refused(attacks.streamed(found), *words)


def test_d9_one_storage_cannot_be_copied_without_end(check_refused):
    """A thousand views of one storage of 1 MB would be a thousand megabytes."""
    source = attacks.storage(count=2**18) + b"\x94"
    view = call(attacks.TENSOR, b"h\x00", 0, (2**18,), (1,), False, None)
    check_refused(
        finish(b"(" + source + view * 1000 + b"t"), CheckpointError, "larger than the whole"
    )
    numbers = octets(bytes(2**20)) + b"\x94"
    one = call(attacks.RECONSTRUCT, attacks.NDARRAY, (0,), octets(b"b"))
    one += plain((1, (2**20,), attacks.dtype("u1"), False, b"h\x00")) + b"b"
    check_refused(
        finish(b"(" + numbers + one * 1000 + b"t"), CheckpointError, "larger than the whole"
    )
    latin = text("x" * 2**20) + b"\x94"
    one = call(attacks.ALLOWED["encode"], b"h\x00", "latin1")
    check_refused(
        finish(b"(" + latin + one * 1000 + b"t"), CheckpointError, "larger than the whole"
    )


CALLED = ["tensor", "parameter", "storage", "module", "scalar", "array", "dtype", "set", "encode"]


@pytest.mark.parametrize("call_of", [*CALLED, "OrderedDict", "EasyDict"])
@pytest.mark.parametrize(
    "arguments",
    [(1,), ("a", "b", "c"), (None,) * 6, (attacks.array(), "latin1"), (attacks.tensor(),) * 2,
     (attacks.array(),) * 3, ({"type": attacks.array()},), ([1],), ([attacks.array()],), ({},)],
)  # fmt: skip
def test_functions_refuse_other_arguments(call_of, arguments, check_refused):
    check_refused(finish(call(attacks.ALLOWED[call_of], *arguments)), CheckpointError)


@pytest.mark.parametrize(
    "changes",
    [
        {"content": bytes(11)}, {"content": bytes(13)}, {"content": b""}, {"counted": 2},
        {"counted": 4}, {"counted": -1}, {"counted": 2**62}, {"magic": attacks.MAGIC + 1},
        {"protocol": 1002}, {"protocol": "1001"}, {"keys": []}, {"keys": ["0", "1"]},
        {"keys": ["1"]}, {"keys": [0]}, {"system": {}}, {"system": [1]},
        {"system": {**attacks.SYSTEM, "little_endian": False}}, {"root": plain([1])},
        {"kind": "DoubleStorage"}, {"kind": "HalfStorage"},
    ],
)  # fmt: skip
def test_d10_storages_that_disagree_with_themselves(changes, check_refused):
    check_refused(finish(attacks.tensor(**changes)), CheckpointError, "in a storage")


def test_d10_two_storages_and_cut_streams(check_refused):
    check_refused(finish(attacks.tensor(root=IDENTITY + IDENTITY + b"\x86")), CheckpointError)
    whole = attacks.stream()
    for length in range(0, len(whole), 7):
        cut = call(attacks.LOAD, octets(whole[:length]))
        check_refused(finish(cut), CheckpointError, "in a storage")


@pytest.mark.parametrize(
    "changes",
    [
        {"raw": bytes(7)}, {"raw": bytes(9)}, {"raw": b""}, {"shape": (2**62, 2**62)},
        {"shape": (-2,)}, {"shape": (-1, -2)}, {"shape": (0, 2**62)}, {"shape": [2]},
        {"shape": (1,) * 9 + (2,)}, {"shape": (2.0,)}, {"shape": (True, 2)}, {"version": 2},
        {"version": attacks.tensor()}, {"order": "F"}, {"kind": plain("f4")}, {"kind": plain(None)},
    ],
)  # fmt: skip
def test_d11_arrays_that_disagree_with_themselves(changes, check_refused):
    check_refused(finish(attacks.array(**changes)), CheckpointError)


@pytest.mark.parametrize("raw", [bytes(3), bytes(5), b""])
def test_d11_numbers_of_another_size(raw, check_refused):
    check_refused(
        finish(call(attacks.SCALAR, attacks.dtype(), octets(raw))), CheckpointError, "number"
    )


@pytest.mark.parametrize("raw", [bytes(7), bytes(9), b""])
def test_d11_both_lengths_are_told(raw, check_refused):
    words = f"an array of 8 bytes has {len(raw)}"
    check_refused(finish(attacks.array(raw=raw)), CheckpointError, words)
