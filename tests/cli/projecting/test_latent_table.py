"""The one file with the latents of all pictures: what is written is read, and others refused."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from cli.projecting.latent_table import is_table, read_latents, write_latents
from latentlab import LatentError
from latentlab.latents import save_ws
from tests.fuzzing.pieces import mutated

MIB = 2**20
NAMES = ("latents.safetensors", "latents.parquet")
NUMBERS = np.arange(6, dtype=np.float32).reshape(1, 6)


def written(folder, name, space, count=3):
    """Collect the latents of some pictures; returns the file and what is in it [N,2,3]."""
    ws = torch.randn(count, 2, 3, generator=torch.Generator().manual_seed(0))
    if space == "w":
        ws = ws[:, :1].repeat(1, 2, 1)
    files = {}
    for i in range(count):
        save_ws(folder / f"{i}.npz", ws[i : i + 1])
        files[f"photos/{i}.jpg"] = folder / f"{i}.npz"
    write_latents(folder / name, files, {"space": space, "sha256": "ab", "checkpoint": "x.pkl"})
    return folder / name, ws


@pytest.mark.parametrize("space", ["w", "w+"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read(name, space, tmp_path):
    path, ws = written(tmp_path, name, space)
    assert is_table(path)
    read = read_latents(path, MIB)
    expected = ws[:, 0] if space == "w" else ws
    np.testing.assert_array_equal(read.w, expected.numpy())
    assert read.pictures == ("photos/0.jpg", "photos/1.jpg", "photos/2.jpg")
    assert (read.settings["sha256"], read.settings["space"]) == ("ab", space)


def test_files_of_others_are_read_without_names(tmp_path):
    save_file({"w": np.ones([2, 4, 3], np.float64)}, tmp_path / "x.safetensors")
    read = read_latents(tmp_path / "x.safetensors", MIB)
    assert (read.w.shape, read.w.dtype, read.pictures) == ((2, 4, 3), np.float32, None)
    pq.write_table(pa.table({"w": [[1.0, 2.0], [3.0, 4.0]]}), tmp_path / "x.parquet")
    read = read_latents(tmp_path / "x.parquet", MIB)
    assert (read.w.tolist(), read.pictures, read.settings) == ([[1, 2], [3, 4]], None, {})


def header(**about):
    return {"latentlab": json.dumps(about)}


@pytest.mark.parametrize(("arrays", "said", "words"), [
    ({"v": NUMBERS}, {}, "no array `w` inside, only v"),
    ({"w": np.ones(3, np.float32)}, {}, "expected floats [N, w_dim] or [N, num_ws, w_dim]"),
    ({"w": np.ones([0, 3], np.float32)}, {}, "expected floats"),
    ({"w": np.ones([1, 3], np.int32)}, {}, "expected floats"),
    ({"w": np.full([1, 3], np.nan, np.float32)}, {}, "NaN or infinity"),
    ({"w": np.full([1, 3], 1e300)}, {}, "NaN or infinity"),
    ({"w": NUMBERS}, {"latentlab": "{"}, "not valid JSON"),
    ({"w": NUMBERS}, {"latentlab": "[" * 99_999}, "not valid JSON"),
    ({"w": NUMBERS}, {"latentlab": "3"}, "JSON object"),
    ({"w": NUMBERS}, header(pictures=["a", "b"]), "names 2 pictures, but has 1 latents"),
    ({"w": NUMBERS}, header(pictures="a"), "no list"),
    ({"w": np.ones([1, MIB], np.float32)}, {}, "over 1,048,576 bytes"),
])  # fmt: skip
def test_safetensors_that_do_not_fit_are_refused(arrays, said, words, tmp_path):
    save_file(arrays, tmp_path / "x.safetensors", said)
    with pytest.raises(LatentError) as error:
        read_latents(tmp_path / "x.safetensors", MIB)
    assert words in str(error.value)
    assert str(tmp_path / "x.safetensors") in str(error.value)


def shaped(shape):
    return {b"latentlab": json.dumps({"w_shape": shape}).encode()}


@pytest.mark.parametrize(("columns", "said", "words"), [
    ({"v": [[1.0]]}, {}, "no column `w` of lists inside, only v"),
    ({"w": [1.0]}, {}, "no column `w` of lists"),
    ({"w": [[1]]}, {}, "lists of int64, expected floats"),
    ({"w": [[1.0], [1.0, 2.0]]}, {}, "different lengths"),
    ({"w": [[1.0], None]}, {}, "different lengths, or empty cells"),
    ({"w": [[1.0, None]]}, {}, "empty cells"),
    ({"w": pa.array([], pa.list_(pa.float32()))}, {}, "empty cells"),
    ({"w": [[float("nan")]]}, {}, "NaN"),
    ({"w": [[1.0, 2.0]]}, shaped([3]), "w_shape [3] is not that of 2 numbers"),
    ({"w": [[1.0, 2.0]]}, shaped([-1, -2]), "w_shape"),
    ({"w": [[1.0, 2.0]]}, shaped("2"), "w_shape"),
    ({"w": [[1.0, 2.0]]}, shaped([2.0]), "w_shape"),
    ({"w": [[1.0]], "picture": ["x" * 2**16]}, {}, "names of over 32,768 bytes"),
    ({"w": [[0.0] * MIB]}, {}, "over 1,048,576 bytes"),
])  # fmt: skip
def test_parquet_that_does_not_fit_is_refused(columns, said, words, tmp_path):
    table = pa.table(columns).replace_schema_metadata(said)
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(LatentError) as error:
        read_latents(tmp_path / "x.parquet", MIB)
    assert words in str(error.value)
    assert str(tmp_path / "x.parquet") in str(error.value)


def test_a_parquet_file_packed_small_is_refused_by_its_count(tmp_path):
    """Equal numbers take next to nothing on disk."""
    w = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2**22, np.float32)), 2**10)
    pq.write_table(pa.table({"w": w}), tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").stat().st_size < MIB
    with pytest.raises(LatentError, match="over 1,048,576 bytes"):
        read_latents(tmp_path / "x.parquet", MIB)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    return {name: written(folder, name, "w+")[0].read_bytes() for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_refused_or_gives_finite_latents(name, sound, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(data.draw(mutated(st.just(sound[name]))))
    try:
        read = read_latents(path, MIB)
    except LatentError:
        return
    assert np.isfinite(read.w).all()
    assert read.pictures is None or len(read.pictures) == len(read.w)


def test_what_is_not_a_table_is_told_from_one(tmp_path):
    save_ws(tmp_path / "w.npz", torch.zeros(1, 2, 3))
    (tmp_path / "short").write_bytes(b"x")
    assert not any(is_table(tmp_path / name) for name in ("w.npz", "short", "missing", "."))
