"""Headers of safetensors files: refused before they are parsed, and written in one order."""

import json
import struct
import time

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import latentlab
from latentlab import CheckpointError, LatentError, OutputError, SettingsError
from latentlab.editing.directions import load_directions
from latentlab.foreign_files.safetensors_form import MAX_HEADER, MAX_TENSORS
from latentlab.tensor_files import read_safetensors, write_safetensors
from tests.conftest import make_generator, scarce_memory

EMPTY = '"G.%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
# A clear name, what is repeated in a list of a header, and how often.
BOMBS = {
    "100,000 tensors": (EMPTY, 100_000, "lists and objects"),
    "10,001 tensors": (EMPTY, MAX_TENSORS + 1, "which is more than 10,000 tensors need"),
    "8 MB of {}": ("{}", MAX_HEADER // 3 - 9, "over 30,002 lists and objects"),
    "8 MB of 0,": ("0", MAX_HEADER // 2 - 9, "over 110,000 values"),
    "brackets": ("[" * 99, 1, "over 3 levels"),
    "texts": ('"%d":"x"', 20_000, "20,000 texts in the header"),
    "a long name": (f'"{"x" * 600}":{EMPTY[7:]}', 1, "goes on to 600 characters"),
    "many axes": (EMPTY.replace("[0],", f"[{'0,' * 8}0],"), 1, "'G.0' has 9 axes"),
}


def repeated(unit, count):
    numbered = "%d" in unit
    inner = ",".join([unit % i for i in range(count)] if numbered else [unit] * count)
    if unit.startswith('"%d'):
        return '{"__metadata__":{' + inner + "}}"
    named = unit.startswith('"')
    return "{" + (inner if named else '"a":[' + inner) + "}"


def written(path, header, body=b""):
    raw = header.encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)
    return path


@pytest.mark.parametrize(("unit", "count", "words"), BOMBS.values(), ids=BOMBS)
def test_d15_a_header_beyond_any_network_is_refused_at_once(unit, count, words, tmp_path):
    path = written(tmp_path / "x.safetensors", repeated(unit, count))
    started = time.process_time()
    with scarce_memory(96 * 2**20), pytest.raises(CheckpointError, match=words) as caught:
        latentlab.load(path)
    assert time.process_time() - started < 1
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(LatentError, match=words):  # who reads such files for another purpose
        load_directions(path, 8)


def test_d15_a_header_of_29_mb_is_not_read(tmp_path):
    path = written(tmp_path / "x.safetensors", '{"a":[{},')
    with path.open("r+b") as file:
        file.write(struct.pack("<Q", 29_000_000))
        file.truncate(29_000_008)  # a hole: it takes no place on the disk
    with scarce_memory(2**24), pytest.raises(CheckpointError, match="a header of 29,000,000 bytes"):
        latentlab.load(path)


def test_d15_one_wide_character_makes_no_header_large(tmp_path):
    """A text is kept in as many bytes for each character as its widest one needs: four."""
    facts = {"format": "latentlab", "metadata": "x" * (MAX_HEADER - 200) + "\U0001f600"}
    path = written(
        tmp_path / "x.safetensors", json.dumps({"__metadata__": facts}, ensure_ascii=False)
    )
    with scarce_memory(2**27), pytest.raises(CheckpointError):
        latentlab.load(path)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ('{"psi": NaN}', "NaN is there"),
        ('{"psi": [1, -Infinity]}', "-Infinity is there"),
        ('{"psi": 1e999}', "beyond float64"),
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ('{"a": ' + "[" * 99 + "]" * 99 + "}", "over 32 levels"),
        ('{"a": [' + "{}," * 200_000 + "{}]}", "over 100,000 lists and objects"),
        ('{"a": [' + "0," * 300_000 + "0]}", "over 200,000 values"),
    ],
)
def test_d15_metadata_are_bounded_and_finite(metadata, words, tmp_path):
    path = tmp_path / "x.safetensors"
    latentlab.save(make_generator(resolution=8), path)
    header, tensors = read_safetensors(path)
    write_safetensors(tensors, path, {**header, "metadata": metadata})
    with scarce_memory(96 * 2**20), pytest.raises(CheckpointError, match=words):
        latentlab.load(path)


def test_metadata_without_a_number_are_not_written(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(SettingsError, match="`metadata` must hold finite numbers"):
        latentlab.save(make_generator(resolution=8), path, {"loss": float("nan")})
    assert not path.exists()


@pytest.mark.parametrize(("count", "texts"), [(MAX_TENSORS + 1, {}), (1, {"a": "x" * MAX_HEADER})])
def test_what_could_not_be_read_is_not_written(count, texts, tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {str(i): torch.zeros(0) for i in range(count)}
    with pytest.raises(OutputError, match="could not be read again"):
        write_safetensors(tensors, path, texts)
    assert list(tmp_path.iterdir()) == []


TYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint64, torch.uint32, torch.uint16, torch.uint8, torch.bool,
    torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2,
]  # fmt: skip


def test_a_text_with_half_a_character_is_not_written(tmp_path):
    with pytest.raises(OutputError, match="half a character"):
        write_safetensors({"w": torch.zeros(1)}, tmp_path / "x.safetensors", {"a": "\udcff"})
    assert list(tmp_path.iterdir()) == []


def test_the_library_reads_every_type_and_layout_that_is_written(tmp_path):
    path, numbers = tmp_path / "x.safetensors", torch.arange(6)
    tensors = {
        str(kind): (numbers % 2 if kind == torch.bool else numbers).to(kind) for kind in TYPES
    }
    shared, turned = torch.randn(3, 4), torch.tensor([1 + 2j]).conj()
    tensors |= {"shared": shared, "again": shared, "columns": shared.T, "part": shared[1:, ::2],
                "none": torch.zeros(0, 3), "number": torch.tensor(2.5), "conj": turned}  # fmt: skip
    write_safetensors(tensors, path, {"b": "é", "a": '"\\\n'})
    found = load_file(path)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        plain = tensor.resolve_conj().contiguous().reshape(-1)
        assert torch.equal(found[name].reshape(-1).view(torch.uint8), plain.view(torch.uint8))
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"a": '"\\\n', "b": "é"}
    # Each lies where its type may, as the library puts them.
    save_file({name: tensor.clone().contiguous() for name, tensor in found.items()}, tmp_path / "y")
    sizes = [file.stat().st_size for file in (path, tmp_path / "y")]
    assert abs(sizes[0] - sizes[1]) < 64  # of its texts


def test_weights_are_written_without_a_second_copy(tmp_path):
    tensors = {name: torch.zeros(3 * 2**21) for name in "ab"}  # 24 MiB each
    with scarce_memory(2**24):
        write_safetensors(tensors, tmp_path / "x.safetensors", {})
