"""Tensors, storages and arrays in pickles that are not what they say."""

import pytest

from latentlab import CheckpointError, TruncatedCheckpoint, UnsafeCheckpoint
from tests.support import attacks
from tests.support.attacks import call, finish, octets, plain, text

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
def test_d09_tensors_that_reach_outside(geometry, check_refused):
    check_refused(finish(attacks.tensor(**geometry)), CheckpointError)


IDENTITY = plain(("storage", attacks.name("torch", "FloatStorage"), "0", "cpu", 3, None)) + b"Q"


# Strides are products of sizes, zeros left aside, and overflow where nothing is stored.
@pytest.mark.parametrize("size", [(0, 2**62, 2**62), (0, 2**40, 2**40), (2**62, 2, 0), (0, 2**61)])
@pytest.mark.parametrize("form", ["nested", "archive", "stream"])
def test_d09_empty_tensors_of_sizes_beyond_memory(form, size, check_refused, check_torch_refused):
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


def test_d09_one_storage_cannot_be_copied_without_end(check_refused):
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


CALLED = [
    "tensor",
    "parameter",
    "storage",
    "module",
    "scalar",
    "array",
    "buffer",
    "dtype",
    "set",
    "encode",
]


@pytest.mark.parametrize("call_of", [*CALLED, "OrderedDict", "EasyDict"])
@pytest.mark.parametrize(
    "arguments",
    [(1,), ("a", "b", "c"), (None,) * 6, (attacks.array(), "latin1"), (attacks.tensor(),) * 2,
     (attacks.array(),) * 3, ({"type": attacks.array()},), ([[1]],), ([attacks.array()],), ({},)],
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


TWO = attacks.mutable(attacks.TWO_FLOATS)


@pytest.mark.parametrize(
    "changes",
    [
        {"raw": attacks.mutable(bytes(7))}, {"raw": attacks.mutable(bytes(9))}, {"shape": (3,)},
        {"raw": octets(bytes(7))}, {"raw": octets(b"")}, {"shape": ()}, {"shape": (2**62, 2**62)},
        {"shape": (-2,)}, {"shape": [2]}, {"shape": 2}, {"shape": (2.0,)}, {"shape": (True, 2)},
        {"shape": (2, *[1] * 8)}, {"shape": (0, 2**62), "raw": octets(b"")},
        {"kind": attacks.dtype("f8")}, {"kind": attacks.dtype("O", None)}, {"kind": plain("f4")},
        {"raw": plain("12345678")}, {"raw": plain([1.0, 2.0])}, {"raw": plain(8)},
        {"raw": attacks.array()}, {"kind": attacks.array()}, {"order": "A"}, {"order": "K"},
        {"order": "c"}, {"order": None}, {"order": 0}, {"order": False}, {"order": ("C",)},
        {"order": attacks.array()},
    ],
)  # fmt: skip
def test_d11_buffers_that_are_no_arrays(changes, check_refused):
    check_refused(finish(attacks.buffer(**changes), 5), CheckpointError)


@pytest.mark.parametrize("rest", [(), (attacks.dtype(),), (attacks.dtype(), (2,), "C", None)])
def test_d11_buffers_of_other_arguments(rest, check_refused):
    content = call(attacks.FROMBUFFER, TWO, *rest)
    check_refused(finish(content, 5), UnsafeCheckpoint, "from a buffer")


def test_d11_buffers_cannot_be_copied_without_end(check_refused):
    numbers = attacks.mutable(bytes(2**20)) + b"\x94"
    one = attacks.buffer((2**20,), b"h\x00", attacks.dtype("u1"))
    content = finish(b"(" + numbers + one * 1000 + b"t", 5)
    check_refused(content, CheckpointError, "larger than the whole")


@pytest.mark.parametrize("length", [9, 300, 2**40, 2**62, 2**64 - 1])
def test_d11_buffers_longer_than_the_file(length, check_refused):
    content = b"\x96" + length.to_bytes(8, "little") + bytes(8)
    check_refused(b"\x80\x05" + content, TruncatedCheckpoint if length < 2**63 else CheckpointError)


@pytest.mark.parametrize("call_of", ["scalar", "storage"])
def test_d11_a_bytearray_is_no_bytes(call_of, check_refused):
    arguments = [TWO] if call_of == "storage" else [attacks.dtype("f8"), TWO]
    check_refused(finish(call(attacks.ALLOWED[call_of], *arguments), 5), UnsafeCheckpoint)
