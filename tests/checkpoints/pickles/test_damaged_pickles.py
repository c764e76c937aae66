"""Damaged, cut and oversized pickles: one named error, at once, in little memory."""

import io
import pickle
import struct
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, TruncatedCheckpoint, UnsupportedCheckpoint
from tests.conftest import make_discriminator, make_generator, scarce_memory
from tests.support import attacks
from tests.support.attacks import call, finish, plain, text
from tests.support.snapshots import Persistent, write_snapshot

KWARGS = {"z_dim": 6, "w_dim": 5, "c_dim": 0, "img_resolution": 16, "img_channels": 3}
KWARGS |= {"mapping_kwargs": {"num_layers": 2}}
KWARGS |= {"synthesis_kwargs": {"channel_base": 128, "channel_max": 8}}
D_KWARGS = {"c_dim": 0, "img_resolution": 16, "img_channels": 3}
D_KWARGS |= {"channel_base": 128, "channel_max": 8}


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """A sound snapshot of about 100 KB."""
    found = {
        "G_ema": Persistent(make_generator(), "Generator", (), KWARGS),
        "D": Persistent(make_discriminator(), "Discriminator", (), D_KWARGS),
    }
    path = write_snapshot(tmp_path / "sound.pkl", found, monkeypatch)
    assert latentlab.load(path).discriminator is not None
    return path


@pytest.fixture
def check_wrong(tmp_path):
    """Load bytes that are refused by ``load``, in one line."""

    def run(content, kind, *words):
        path = tmp_path / "x.pkl"
        path.write_bytes(content)
        with scarce_memory(), pytest.raises(kind) as caught:
            latentlab.load(path)
        message = str(caught.value)
        assert [word for word in (str(path), *words) if word not in message] == [], message
        assert "\n" not in message

    return run


# D1-D17 are the rows of the project's list of damage.


def test_d02_every_truncation_is_refused(snapshot, tmp_path):
    content = snapshot.read_bytes()
    path = tmp_path / "cut.pkl"
    for length in {*range(2, len(content), 331), *range(len(content) - 64, len(content))}:
        path.write_bytes(content[:length])
        with pytest.raises(TruncatedCheckpoint, match=r"cut\.pkl"):
            latentlab.load(path)


def test_d03_flipped_bytes_are_refused_or_leave_a_whole_model(snapshot, tmp_path):
    content = snapshot.read_bytes()
    whole = {k: {n: t.shape for n, t in net.state_dict().items()}
             for k, net in latentlab.load(snapshot).networks.items()}  # fmt: skip
    rng = np.random.RandomState(0)
    messages = []
    for case in range(300):
        flipped = bytearray(content)
        for place in rng.randint(9, len(content), size=1 + case % 3):
            flipped[place] ^= rng.randint(1, 256)
        (tmp_path / "flipped.pkl").write_bytes(flipped)
        try:
            networks = latentlab.load(tmp_path / "flipped.pkl").networks
        except CheckpointError as error:
            messages.append(str(error))
        else:
            for name, network in networks.items():
                weights = network.state_dict()
                assert {n: t.shape for n, t in weights.items()} == whole[name], case
                assert all(bool(t.isfinite().all()) for t in weights.values()), case
    assert 100 < len(messages) < 300
    assert all("flipped.pkl" in message and "\n" not in message for message in messages)


@pytest.mark.parametrize(
    "body",
    [
        b"B" + struct.pack("<I", 2**32 - 1), b"\x8e" + struct.pack("<Q", 2**62),
        b"X" + struct.pack("<I", 2**32 - 1), b"\x8d" + struct.pack("<Q", 2**62),
        b"\x8e" + struct.pack("<Q", 2**64 - 1), b"\x8b" + struct.pack("<i", 2**31 - 1),
        b"C\xff", b"\x8a\xff", b"\x8c\xff", b"G\x00", b"J\x00", b"c" + b"x" * 40, b"cposix\nsys",
    ],
)  # fmt: skip
def test_d04_lengths_beyond_the_end(body, check_refused):
    check_refused(b"\x80\x04" + body, CheckpointError)
    check_refused(b"\x80\x04" + body + b"N" * 20 + b".", CheckpointError)


@pytest.mark.parametrize("key", [2**28, 2**31 - 1, 2**32 - 1])
def test_d05_a_huge_memo_index(key, read, check_refused):
    index = struct.pack("<I", key)
    with scarce_memory():
        assert read(finish(b"Nr" + index + b"j" + index + b"\x86")) == (None, None)
    check_refused(finish(b"Nj" + index), CheckpointError, "memo")
    check_refused(finish(b"Nh\x00"), CheckpointError, "memo")


CHILD = """
import resource, sys
from pathlib import Path
import latentlab
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, size + 2**28))
for name in sys.argv[1:]:
    try:
        latentlab.load(Path(name))
    except latentlab.CheckpointError as error:
        reading = "byte " in str(error)
        print("unread" if reading else "read", flush=True)
"""


def test_d06_depth_does_not_end_the_process(tmp_path):
    deep = b"\x85" * 240_000
    bodies = {
        "tuple as key": b"}N" + b"\x85" * 2_000_000 + b"Ns",
        "shorter tuple as key": b"})" + deep + b"Ns",
        "tuple in a set": b"\x8f(N" + deep + b"\x90",
        "tuple": b")" + deep,
        "lists": b"]" * 500_000 + b"a" * 499_999,
        "fewer lists": b"]" * 240_000 + b"a" * 239_999,
        "list within itself": b"]\x94h\x00a",
        "deep arguments": call(attacks.EASYDICT, b"N" + deep),
        "deep state": attacks.NETWORK + b")\x81N" + deep + b"b",
        "deep persistent id": attacks.tensor(root=b"N" + deep + b"Q"),
        "deep keyword": plain({"G_ema": attacks.module(_init_kwargs={"z_dim": b"N" + deep})}),
        "deep arguments by position": plain({"G_ema": attacks.module(_init_args=b"N" + deep)}),
        "marks": b"(" * 2_100_000,
        "objects": b"\x8f" * 2_100_000,
        "opcodes": b"N" * 2_100_000,
    }
    paths = []
    for number, body in enumerate(bodies.values()):
        paths.append(tmp_path / f"{number}.pkl")
        paths[-1].write_bytes(finish(body))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, *map(str, paths)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    lines = done.stdout.split()
    reached = list(bodies)[min(len(lines), len(bodies) - 1)]
    assert done.returncode == 0, f"{reached}: {done.stderr[-500:]}"
    # These the reader can hold, and what they hold is refused; the others it does not read.
    harmless = {"tuple", "fewer lists", "list within itself"}
    harmless |= {"deep keyword", "deep arguments by position"}
    found = dict(zip(bodies, lines, strict=True))
    assert {name for name, line in found.items() if line == "read"} == harmless


def generator_record(modules, **kwargs):
    return attacks.module("Generator", _modules=modules, _init_kwargs={**KWARGS, **kwargs})


def test_d07_shared_modules_are_walked_once(check_wrong):
    """Forty levels of two references each: 2^40 paths, and few bytes."""
    body, key = attacks.module("A") + b"\x94", 0
    for _ in range(40):
        get = b"j" + struct.pack("<I", key)
        key += 1
        body += attacks.module("A", _modules={"a": get, "b": get}) + b"\x94"
    body = b"(" + body + b"t\x94"
    shared = b"(" + body + plain({"G_ema": generator_record({"a": b"j" + struct.pack("<I", key)})})
    check_wrong(finish(shared + b"t"), UnsupportedCheckpoint, "not a StyleGAN")
    walked = plain({"z": body, "G_ema": generator_record({"a": b"j" + struct.pack("<I", key)})})
    check_wrong(finish(walked), CheckpointError, "G_ema", "met twice")


def test_d07_shared_settings_are_bounded(check_wrong):
    body = b"]\x94"
    for key in range(40):
        get = b"j" + struct.pack("<I", key)
        body += b"](" + get * 2 + b"e\x94"
    for kwargs in ({"z_dim": b"j" + struct.pack("<I", 40)}, {"z_dim": b"j" + struct.pack("<I", 3)}):
        found = {"z": b"(" + body + b"t", "G_ema": generator_record({}, **kwargs)}
        check_wrong(finish(plain(found)), UnsupportedCheckpoint, "G_ema")


def test_d08_a_module_within_itself(check_wrong):
    meta = {"type": "class", "class_name": "Generator"}
    state = b"}\x94" + plain({"_init_kwargs": KWARGS})[1:]
    record = call(attacks.MODULE, {**meta, "state": state}) + b"\x94"
    # The state is memo 0, the record memo 1; the record is put into its own state afterwards.
    own = {"_parameters": {}, "_buffers": {}, "_modules": {"me": b"h\x01"}}
    patch = b"(" + record + b"h\x00" + plain(own)[1:] + b"t"
    check_wrong(finish(plain({"x": patch, "G_ema": b"h\x01"})), CheckpointError, "met twice")


@pytest.mark.parametrize(
    "modules",
    [{"a": 1}, {"a": "x"}, {"a": attacks.network(a=1)}, {"a": attacks.tensor()}, [1], None],
)
def test_d08_other_things_than_modules(modules, check_wrong):
    check_wrong(finish(plain({"G_ema": generator_record(modules)})), CheckpointError, "G_ema")


@pytest.mark.parametrize("key", ["a.b", "", "a b", "a\nb", "é\ud800", "x" * 200, 3])
@pytest.mark.parametrize("field", ["_parameters", "_buffers", "_modules"])
def test_names_that_no_module_has(key, field, check_wrong):
    record = attacks.module(_init_kwargs=KWARGS, **{field: {key: None}})
    check_wrong(finish(plain({"G_ema": record})), CheckpointError, field)


@pytest.mark.parametrize(
    "value", [1, "x", [1.0], attacks.array(), attacks.module(), attacks.storage()]
)
def test_parameters_that_are_no_tensors(value, check_wrong):
    record = attacks.module(_init_kwargs=KWARGS, _parameters={"weight": value})
    check_wrong(finish(plain({"G_ema": record})), CheckpointError, "weight is not a tensor")


def test_d12_anything_after_the_end(snapshot, check_wrong):
    content = snapshot.read_bytes()
    archive = io.BytesIO()
    torch.save({"a": 1}, archive)
    for rest in (b"\0", b"\n", content, archive.getvalue()):
        check_wrong(content + rest, CheckpointError, f"{len(rest)} bytes follow")


@pytest.mark.parametrize(
    "body",
    [b"", b"NN", b"(N", b"N(", b"a", b"Na", b"]Na"[1:], b"]a", b"s", b"}s", b"}Ns", b"u", b"}(Nu",
     b"}(" + text("a") + b"u", b"](u", b"t", b"\x85", b"N\x86", b"NN\x87", b"R", b"NR", b"b", b"Nb",
     b"NNb", b"N)R", b"\x93", b"\x81", b"\x94", b"q\x00", b"\x90", b"\x8f(]\x90",
     b"}(" + b"K\x01K\x02" * 2 + b"u", b"}(" + b"\x88N" * 2 + b"u"],
)  # fmt: skip
def test_stacks_that_do_not_fit(body, check_refused):
    check_refused(finish(body), CheckpointError)


@pytest.mark.parametrize("content", [b"\x80\x01N." + b" " * 9, b"\x80\x06N." + b" " * 9])
def test_other_protocols_are_unsupported(content, check_wrong):
    check_wrong(content, UnsupportedCheckpoint)


def test_d14_the_content_decides(snapshot, check_wrong, tmp_path):
    renamed = snapshot.rename(tmp_path / "model.safetensors")
    assert latentlab.load(renamed).kind == "stylegan2-ada"
    for zipped in (True, False):
        other = io.BytesIO()
        torch.save({"G_ema": torch.ones(2)}, other, _use_new_zipfile_serialization=zipped)
        check_wrong(other.getvalue(), UnsupportedCheckpoint, "torch.save with keys 'G_ema'")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    check_wrong(tar.getvalue(), UnsupportedCheckpoint)


@pytest.mark.parametrize("second", [2, 4, 5])
def test_d14_a_safetensors_header_may_start_like_a_pickle(second, tmp_path):
    path = tmp_path / "g.safetensors"
    latentlab.save(make_generator(), path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    padded = 0x10000 + second * 0x100 + 0x80
    header = content[8 : 8 + size].ljust(padded)
    path.write_bytes(struct.pack("<Q", padded) + header + content[8 + size :])
    assert path.read_bytes()[:2] == bytes([0x80, second])
    assert latentlab.load(path).kind == "stylegan2-native"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], "list of 2"), (None, "NoneType"), ({}, "(none)"), ("x", "str"), ((), "tuple of 0"),
        ({"a": 1, "b": 2}, "keys 'a', 'b'"), ({"G_ema": None, "D": 3}, "keys 'G_ema', 'D'"),
        ({str(i): i for i in range(9)}, "and 4 more"), ({"G_ema": {"a": 1}}, "keys 'G_ema'"),
        ({"\n\ud800" * 99: 1}, "keys"), ({3: 1}, "keys 3"), (2**600, "int"),
    ],
)  # fmt: skip
def test_d16_other_pickles_are_told_by_what_they_hold(value, words, check_wrong):
    check_wrong(finish(plain(value)), UnsupportedCheckpoint, "not a StyleGAN checkpoint", words)


def test_d16_other_records(check_wrong):
    check_wrong(finish(attacks.module("Generator")), UnsupportedCheckpoint, "G_ema: no setting")
    check_wrong(
        finish(attacks.network(build_func_name="x\n" * 99)), UnsupportedCheckpoint, "not known here"
    )
    check_wrong(finish(attacks.NETWORK + b")\x81"), UnsupportedCheckpoint, "without content")
    check_wrong(finish(plain((attacks.network(a=1), 3))), UnsupportedCheckpoint, "not a StyleGAN")


def test_d17_all_zero_weights_stay_finite(tmp_path, monkeypatch):
    """Demodulation divides by the norm of the weights."""
    g = make_generator()
    g.synthesis.b8.conv1.weight.zero_()
    found = {"G_ema": Persistent(g, "Generator", (), KWARGS)}
    opened = latentlab.load(write_snapshot(tmp_path / "zero.pkl", found, monkeypatch)).generator
    assert bool(opened(torch.ones(1, 6)).isfinite().all())


def test_a_pickle_that_no_class_of_ours_expects(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(torch.nn.Linear(2, 2)))
    with pytest.raises(UnsupportedCheckpoint, match=r"torch\.nn\.modules\.linear\.Linear"):
        latentlab.load(path)
