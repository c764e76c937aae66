"""Files of torch.save whose pickle asks for code, or disagrees with what follows it."""

import pickle
import struct

import pytest

from latentlab import CheckpointError, TruncatedCheckpoint, UnsafeCheckpoint, UnsupportedCheckpoint
from latentlab.checkpoints.pickles import torch_save
from tests.support import attacks
from tests.support.attacks import archive, archived, call, finish, name, plain, streamed


def identity(*parts) -> bytes:
    """A persistent id."""
    return plain(parts) + b"Q"


FLOATS = name("torch", "FloatStorage")


HOSTILE = {
    "a call": lambda marker: attacks.touch(marker),
    "a call by a name on the stack": lambda marker: attacks.touch(
        marker, attacks.stack_name("posix", "system")
    ),
    "torch itself": lambda marker: call(name("torch", "load"), str(marker)),
    "another rebuilder": lambda marker: call(name("torch._utils", "_rebuild_tensor"), 1),
    "a wrapper": lambda marker: call(name("torch._tensor", "_rebuild_from_type_v2"), 1),
    "a nested stream": lambda marker: call(attacks.LOAD, attacks.octets(b"")),
    "a namespace called": lambda marker: call(attacks.NAMESPACE, {"a": 1}),
    "a dict's attributes": lambda marker: call(attacks.ORDERED) + plain({"update": 1}) + b"b",
    "attributes of a name": lambda marker: attacks.NAMESPACE + plain({"a": 1}) + b"b",
    "attributes of a tensor": lambda marker: archived() + plain({"_metadata": 1}) + b"b",
    "a storage by position": lambda marker: identity("storage", 1, "0", "cpu", 3),
    "a module's source": lambda marker: identity("module", FLOATS, "", ""),
    "a storage of Namespace": lambda marker: identity("storage", attacks.NAMESPACE, "0", "c", 3),
    "a storage of OrderedDict": lambda marker: identity("storage", attacks.ORDERED, "0", "c", 3),
    "a view of a storage": lambda marker: identity(
        "storage", FLOATS, "0", "cpu", 3, ("1", 0, 3)
    ),
    "text for an id": lambda marker: attacks.text("storage") + b"Q",
    "an old id": lambda marker: b"Pposix\n",
    "INST": lambda marker: b"(" + attacks.text(f"touch '{marker}'") + b"iposix\nsystem\n",
}  # fmt: skip


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_d13_pickles_that_ask_for_more_than_weights(payload, check_torch_refused, tmp_path):
    body = plain({"x": payload(tmp_path / "marker")})
    check_torch_refused(archive(body), UnsafeCheckpoint, "byte ")
    check_torch_refused(streamed(body), UnsafeCheckpoint, "byte ")


A_CLASS = name("mine", "Part")
CLASSES = {
    "its source a number": identity("module", A_CLASS, "part.py", 3),
    "another word": identity("class", A_CLASS, "part.py", "raise SystemExit"),
    "a storage's class": identity("module", FLOATS, "part.py", "raise SystemExit"),
    "a class of ours": identity("module", attacks.ORDERED, "part.py", "raise SystemExit"),
    "an object": identity("module", call(A_CLASS), "part.py", "raise SystemExit"),
    "the system": identity("module", name("os", "system"), "part.py", ""),
}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_classes_that_come_with_their_source(kind, check_torch_refused):
    check_torch_refused(streamed(plain({"x": kind})), UnsafeCheckpoint, "byte ")
    source = identity("module", A_CLASS, "part.py", "raise SystemExit")
    check_torch_refused(archive(plain({"x": source})), UnsafeCheckpoint, "byte ")


@pytest.mark.parametrize("protocol", [0, 1])
def test_d13_older_protocols(protocol, check_torch_refused):
    content = archive(data__pkl=pickle.dumps({"a": 1}, protocol))
    check_torch_refused(content, UnsupportedCheckpoint, "protocol 2 to 5")


def test_d12_anything_after_the_pickle(check_torch_refused):
    content = archive(data__pkl=finish(plain({}), 2) + finish(plain({"a": 1}), 2))
    check_torch_refused(content, CheckpointError, "follow the pickle")


def test_d04_a_length_beyond_the_pickle(check_torch_refused):
    """The next member is no part of it."""
    for body in (b"B" + struct.pack("<I", 20), b"X" + struct.pack("<I", 2**31)):
        content = archive(data__pkl=b"\x80\x02" + body, storages={"0": bytes(1000)})
        check_torch_refused(content, TruncatedCheckpoint, "byte ")


@pytest.mark.parametrize("table", [torch_save.NAMES, torch_save._NAMES_ALONE])
def test_c15_the_tables_cannot_be_written(table):
    with pytest.raises(TypeError):
        table["posix", "system"] = print
    assert not any(module in ("os", "posix", "builtins.eval") for module, _ in table)


# Streams.


def test_d10_streams_whose_numbers_disagree(check_torch_refused):
    check_torch_refused(streamed(counted=2), CheckpointError, "counted")
    check_torch_refused(streamed(counted=-1), CheckpointError, "counted")
    check_torch_refused(streamed(content=bytes(11)), TruncatedCheckpoint, "11 bytes are there")
    check_torch_refused(streamed(content=bytes(13)), CheckpointError, "1 bytes follow")
    check_torch_refused(streamed(content=b"")[:-4], TruncatedCheckpoint, "4 bytes are left")


@pytest.mark.parametrize("keys", [(), ("1",), ("0", "0"), ("0", "1")])
def test_d10_storages_other_than_those_of_the_pickle(keys, check_torch_refused):
    check_torch_refused(streamed(keys=keys), CheckpointError, "storages are not those")


def test_d10_keys_that_are_no_names(check_torch_refused):
    check_torch_refused(streamed(keys=(0,)), CheckpointError, "list of their keys")


def test_d10_a_storage_described_in_two_ways(check_torch_refused):
    kinds = [("FloatStorage", 3), ("IntStorage", 3), ("FloatStorage", 2)]
    ids = [identity("storage", name("torch", kind), "0", "cpu", n, None) for kind, n in kinds]
    for other in ids[1:]:
        body = plain([archived(source=ids[0]), archived(size=(1,), source=other)])
        check_torch_refused(streamed(body), CheckpointError, "two ways")
