"""The reader of safetensors files, and of the networks that one describes, takes any bytes."""

import json
import struct
import tempfile
from functools import cache
from pathlib import Path

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

import latentlab
from latentlab.tensor_files import read_safetensors, write_safetensors
from tests.conftest import make_generator
from tests.fuzzing.pieces import WORDS, mutated

TYPES = ["F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "F6_E2M3", "C64"]
SIZES = st.integers(0, 4) | st.integers(-1, 2**64)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(TYPES) | WORDS,
        "shape": st.lists(SIZES, max_size=3),
        "data_offsets": st.lists(st.integers(0, 64) | SIZES, min_size=2, max_size=2),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
HEADERS = st.dictionaries(WORDS | st.just("__metadata__"), ENTRIES | JSON, max_size=4)


def file_of(header, body=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + body


SOUND = save({"a": torch.arange(4.0), "b": torch.ones(2, 2)}, {"format": "x"})


@given(content=st.binary(max_size=200))
def test_any_bytes(content, outcome):
    outcome(read_safetensors, content)


@given(raw=st.binary(max_size=100), body=st.binary(max_size=20))
def test_any_bytes_as_header(raw, body, outcome):
    outcome(read_safetensors, file_of(raw, body))


@given(header=HEADERS, body=st.binary(max_size=64))
@settings(max_examples=400)
def test_any_header(header, body, outcome):
    outcome(read_safetensors, file_of(header, body))


@given(content=mutated(st.just(SOUND)))
@settings(max_examples=400)
def test_a_sound_file_with_damage(content, outcome):
    outcome(read_safetensors, content)


@given(
    values=st.dictionaries(st.text(max_size=8), st.lists(st.floats(width=32)), max_size=4),
    header=st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3),
)
def test_tensors_and_header_come_back(values, header, tmp_path):
    values.pop("__metadata__", None)
    assume(values or header)  # of nothing at all, the library writes what it cannot read
    tensors = {name: torch.tensor(numbers) for name, numbers in values.items()}
    write_safetensors(tensors, tmp_path / "x", header)
    found, again = read_safetensors(tmp_path / "x")
    assert found == header
    assert again.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(again[name].view(torch.int32), tensor.view(torch.int32))


@cache
def native():
    """The header and the tensors of a small generator in our own format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "g.safetensors")
        latentlab.save(make_generator(resolution=8), path)
        return read_safetensors(path)


def places(value, path=()):
    """The paths to everything within a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, held in inner:
        yield from places(held, (*path, key))


@given(data=st.data())
def test_a_network_described_otherwise(data, outcome):
    header, tensors = native()
    described = json.loads(header["networks"])
    *path, last = data.draw(st.sampled_from([path for path in places(described) if path]))
    inner = described
    for key in path:
        inner = inner[key]
    change = data.draw(st.sampled_from(["value", "name", "more"]))
    if change == "name" and isinstance(inner, dict):
        inner[data.draw(WORDS)] = inner.pop(last)
    elif change == "more" and isinstance(inner, dict):
        inner[data.draw(WORDS)] = inner[last]
    else:
        inner[last] = data.draw(JSON)
    content = save(tensors, {**header, "networks": json.dumps(described)})
    outcome(latentlab.load, content)


@given(
    header=st.dictionaries(
        st.sampled_from(["format", "format_version", "networks", "metadata", "config"]), WORDS
    )
)
def test_a_header_with_other_words(header, outcome):
    own, tensors = native()
    outcome(latentlab.load, save(tensors, {**own, **header}))


@given(data=st.data(), name=WORDS)
def test_weights_of_another_name_type_or_shape(data, name, outcome):
    header, tensors = native()
    chosen = data.draw(st.sampled_from(sorted(tensors)))
    dtypes = [torch.float64, torch.float16, torch.int64, torch.bool, torch.float8_e4m3fn,
              torch.complex64, torch.float32]  # fmt: skip
    changed = tensors[chosen].to(data.draw(st.sampled_from(dtypes)))
    if data.draw(st.booleans()):
        changed = changed.reshape(-1).clone()
    rest = {key: tensor for key, tensor in tensors.items() if key != chosen}
    key = data.draw(st.sampled_from([chosen, name, f"G_ema.{name}"]))
    outcome(latentlab.load, save({**rest, key: changed}, header))
