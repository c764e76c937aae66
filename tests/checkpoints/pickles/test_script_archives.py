"""TorchScript archives as data: what lies in them, and what is done with damaged ones."""

import random
import struct
import zipfile

import pytest
import torch

from latentlab import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint
from latentlab.checkpoints.pickles import script_archives
from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.pickles.script_archives import read_script
from latentlab.checkpoints.systems.nvidia_vgg16 import read_nvidias_vgg16

MUTANTS = 60


@pytest.fixture
def sound(data):
    return (data / "vgg16_standin.pt").read_bytes()


@pytest.fixture
def archive(tmp_path):
    """Writes an archive of members that are stored; returns its path."""

    def write(**members):
        path = tmp_path / "x.pt"
        with zipfile.ZipFile(path, "w") as file:
            for name, content in {"code__main__py": b"pass", **members}.items():
                place, _, suffix = name.rpartition("__")
                file.writestr(f"x/{place.replace('__', '/')}.{suffix}", content)
        return path

    return write


def test_modules_are_records_with_their_tensors(data):
    found = read_script(data / "vgg16_standin.pt")
    assert type(found) is Record
    assert found.called == "__torch__.Small"
    assert found.state["size"] == 224
    first = found.state["stages"].state["0"].state["0"]
    assert first.called == "__torch__.torch.nn.modules.conv.Conv2d"
    assert first.state["weight"].shape == (16, 3, 3, 3)


def test_the_program_is_not_even_unpacked(sound, tmp_path):
    """Each compressed member is overwritten: nobody looks."""
    content, count = bytearray(sound), 0
    (tmp_path / "x.pt").write_bytes(sound)
    with zipfile.ZipFile(tmp_path / "x.pt") as file:
        for member in file.infolist():
            if member.compress_type:
                named, extra = struct.unpack_from("<2H", content, member.header_offset + 26)
                start = member.header_offset + 30 + named + extra
                content[start : start + member.compress_size] = b"\xff" * member.compress_size
                count += 1
    assert count > 10
    (tmp_path / "x.pt").write_bytes(content)
    weights = read_nvidias_vgg16(tmp_path / "x.pt")
    assert weights is not None
    assert weights["features.0.weight"].shape == (16, 3, 3, 3)


@pytest.mark.parametrize("name", [
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"c__torch__x\ny\n", b"c__torch__\nnot a name\n",
    b"ctorch.jit\nload\n", b"ctorch.jit._pickle\nbuild_tensor_from_id\n",
    b"c__torch__.os\n" + b"x" * 300 + b"\n",
])  # fmt: skip
def test_c1_other_names_are_refused(name, archive, tmp_path):
    payload = b"X" + struct.pack("<I", len(str(tmp_path / "marker")) + 6)
    payload += f"touch {tmp_path / 'marker'}".encode()
    with pytest.raises(UnsafeCheckpoint):
        read_script(archive(data__pkl=b"\x80\x02" + name + payload + b"\x85R."))
    assert not (tmp_path / "marker").exists()


def test_a_name_of_the_program_is_a_record_and_is_not_called(archive):
    found = read_script(archive(data__pkl=b"\x80\x02c__torch__.os\nsystem\n)\x81}b."))
    assert (type(found), found.called, found.state) == (Record, "__torch__.os.system", {})


@pytest.mark.parametrize(
    "call",
    [
        b"ctorch.jit._pickle\nbuild_intlist\nK\x01\x85R.",
        b"ctorch.jit._pickle\nrestore_type_tag\nK\x01\x85R.",
        b"ctorch.jit._pickle\nrestore_type_tag\nK\x01K\x02\x86R.",
    ],
)
def test_lists_of_other_things_are_refused(call, archive):
    with pytest.raises(CheckpointError):
        read_script(archive(data__pkl=b"\x80\x02" + call))


def test_lists_and_typed_values_are_plain(archive):
    lists = b"\x80\x02ctorch.jit._pickle\nbuild_intlist\n](K\x01K\x02e\x85R."
    assert read_script(archive(data__pkl=lists)) == [1, 2]
    typed = b"\x80\x02ctorch.jit._pickle\nrestore_type_tag\n}X\x01\x00\x00\x00x\x86R."
    assert read_script(archive(data__pkl=typed)) == {}


def test_a_compressed_state_is_refused(sound, tmp_path):
    (tmp_path / "sound.pt").write_bytes(sound)
    with (
        zipfile.ZipFile(tmp_path / "sound.pt") as file,
        zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in file.namelist():
            packed.writestr(name, file.read(name))
    with pytest.raises(UnsafeCheckpoint, match="is compressed"):
        read_script(tmp_path / "x.pt")


def test_c15_the_table_cannot_be_written():
    with pytest.raises(TypeError):
        script_archives._NAMES["os", "system"] = print


def test_weights_of_torch_save_are_no_program(tmp_path):
    torch.save({"x": torch.ones(1)}, tmp_path / "x.pt")
    with pytest.raises(UnsupportedCheckpoint, match="not a TorchScript archive"):
        read_script(tmp_path / "x.pt")


def test_d2_beginnings_are_refused(sound, tmp_path):
    for length in (0, 1, 100, len(sound) // 2, len(sound) - 64, len(sound) - 1):
        (tmp_path / "x.pt").write_bytes(sound[:length])
        with pytest.raises(CheckpointError):
            read_script(tmp_path / "x.pt")


def test_d3_flipped_bytes_are_refused_or_leave_whole_weights(sound, tmp_path):
    rng = random.Random(0)
    for _ in range(MUTANTS):
        content = bytearray(sound)
        for _ in range(rng.choice((1, 1, 2, 8))):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        (tmp_path / "x.pt").write_bytes(content)
        try:
            weights = read_nvidias_vgg16(tmp_path / "x.pt")
        except CheckpointError:
            continue
        for tensor in (weights or {}).values():
            assert bool(torch.isfinite(tensor).all())
