"""Drawing, mixing, reading and writing latents, and the statistics of W."""

import io
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentlab import Generator, latents
from latentlab.errors import LatentError, SettingsError
from tests.conftest import make_generator, make_stylegan3

NUM_WS, W_DIM = 6, 5  # of make_generator()


@pytest.fixture(scope="module")
def g() -> Generator:
    return make_generator()


def some_ws(count: int = 2, seed: int = 0) -> NDArray[np.float32]:
    shape = (count, NUM_WS, W_DIM)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def some_noise(g: Generator, count: int = 1) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    shapes = g.synthesis.noise_shapes
    return [torch.randn(count, *shape[1:], generator=rng) for shape in shapes]


# Drawing.


def test_n02_z_is_numpys_default_rng_keyed_by_seed_stream_and_index() -> None:
    z = latents.draw_z([0, 5, 3], 7, seed=11, stream=2)
    rows = [np.random.default_rng([11, 2, i]).standard_normal(7) for i in (0, 5, 3)]
    assert z.dtype == torch.float32
    np.testing.assert_array_equal(z.numpy(), np.array(rows, dtype=np.float32))


@pytest.mark.parametrize("batch", [1, 3, 7, 20])
def test_n02_z_and_labels_do_not_depend_on_the_batch_split(batch: int) -> None:
    starts = range(0, 20, batch)
    parts = [range(start, min(start + batch, 20)) for start in starts]
    z = torch.cat([latents.draw_z(part, 4, seed=1) for part in parts])
    labels = torch.cat([latents.draw_labels(part, 3, seed=1) for part in parts])
    assert torch.equal(z, latents.draw_z(range(20), 4, seed=1))
    assert torch.equal(labels, latents.draw_labels(range(20), 3, seed=1))


def test_z_of_other_seeds_and_streams_differs() -> None:
    keys = [(0, 0), (0, 1), (1, 0), (1, 1)]
    rows = [latents.draw_z([0], 4, seed, stream) for seed, stream in keys]
    assert len({tuple(row[0].tolist()) for row in rows}) == len(keys)


def test_drawing_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    latents.draw_z(range(3), 4, seed=0)
    latents.draw_labels(range(3), 4, seed=0)
    latents.z_from_seeds([1], 4)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


def test_no_indices_give_no_rows() -> None:
    assert latents.draw_z([], 4, seed=0).shape == (0, 4)
    assert latents.draw_labels([], 4, seed=0).shape == (0, 4)


def test_labels_are_one_hot_with_every_class_about_equally_often() -> None:
    labels = latents.draw_labels(range(3000), 3, seed=0)
    assert torch.equal(labels.sum(dim=1), torch.ones(3000))
    assert set(labels.unique().tolist()) == {0.0, 1.0}
    # 1000 of each are expected, with a standard deviation of 26.
    assert ((labels.sum(dim=0) - 1000).abs() < 100).all()


def test_z_from_seeds_is_the_fields_random_state() -> None:
    z = latents.z_from_seeds([3, 85, 2**32 - 1], 6)
    rows = [np.random.RandomState(seed).randn(6) for seed in (3, 85, 2**32 - 1)]
    assert z.dtype == torch.float32
    np.testing.assert_array_equal(z.numpy(), np.array(rows, dtype=np.float32))


def test_one_hot_marks_the_class() -> None:
    assert latents.one_hot(2, 4, count=2).tolist() == [[0, 0, 1, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("label", "c_dim", "message"),
    [
        (-1, 4, r"`class` must be 0 to 3 for this generator, but got -1"),
        (4, 4, r"`class` must be 0 to 3 for this generator, but got 4"),
        (0, 0, "this generator has no labels"),
    ],
)
def test_a_class_that_the_generator_lacks_is_refused(label: int, c_dim: int, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        latents.one_hot(label, c_dim)


# Noise maps.


def test_noise_is_numpys_default_rng_keyed_and_split_in_layer_order(g: Generator) -> None:
    maps = latents.draw_noise([4, 1], g, seed=3, stream=20)
    sizes = [shape[-1] for shape in g.synthesis.noise_shapes]
    assert [level.shape for level in maps] == [(2, 1, size, size) for size in sizes]
    for row, index in enumerate((4, 1)):
        rng = np.random.default_rng([3, 20 + 2000, index])
        values = rng.standard_normal(sum(size**2 for size in sizes), dtype=np.float32)
        found = np.concatenate([level[row].numpy().ravel() for level in maps])
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("batch", [1, 3, 20])
def test_n02_noise_does_not_depend_on_the_batch_split(g: Generator, batch: int) -> None:
    whole = latents.draw_noise(range(7), g, seed=1)
    parts = [
        latents.draw_noise(range(start, min(start + batch, 7)), g, seed=1)
        for start in range(0, 7, batch)
    ]
    for level, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(level, torch.cat(pieces))


def test_no_indices_and_no_noise_layers_give_no_noise(g: Generator) -> None:
    assert [len(level) for level in latents.draw_noise([], g, seed=0)] == [0] * 5
    assert latents.draw_noise([0, 1], make_stylegan3(), seed=0) == []


# Interpolating.


def directions(count: int, dims: int, seed: int = 0) -> NDArray[np.float64]:
    x = np.random.default_rng(seed).standard_normal([count, dims])
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def slerped(a: NDArray[Any], b: NDArray[Any], t: float) -> NDArray[np.float64]:
    places = torch.full([len(a)], t, dtype=torch.float64)
    return latents.slerp(torch.from_numpy(a), torch.from_numpy(b), places).numpy()


@pytest.mark.parametrize("dims", [2, 3, 512])
@pytest.mark.parametrize("t", [0.0, 1e-4, 0.3, 0.9999, 1.0, 1.0001])
def test_slerp_is_shoemakes_formula(dims: int, t: float) -> None:
    a, b = directions(50, dims, seed=1), directions(50, dims, seed=2)
    angle = np.arccos((a * b).sum(axis=1, keepdims=True))
    expected = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    # Shoemake's form loses digits where its sine is small: 1e-3 in two dimensions.
    np.testing.assert_allclose(slerped(a, b, t), expected, atol=1e-10)


def test_slerp_moves_along_the_sphere_at_constant_speed() -> None:
    a, b = directions(50, 6, seed=1), directions(50, 6, seed=2)
    angle = np.arccos((a * b).sum(axis=1))
    for t in (0.0, 0.37, 0.9):
        start, end = slerped(a, b, t), slerped(a, b, t + 1e-4)
        np.testing.assert_allclose(np.linalg.norm(start, axis=1), 1, atol=1e-14)
        chord = np.linalg.norm(end - start, axis=1)
        np.testing.assert_allclose(chord, 2 * np.sin(1e-4 * angle / 2), rtol=1e-9)


def test_slerp_takes_no_notice_of_length_and_keeps_float32_steps() -> None:
    a, b = directions(5, 6, seed=1), directions(5, 6, seed=2)
    np.testing.assert_allclose(slerped(a * 7, b / 9, 0.3), slerped(a, b, 0.3), atol=1e-14)
    single = [torch.from_numpy(x).float() for x in (a, b)]
    step = latents.slerp(*single, torch.full([5], 1e-4))
    assert step.dtype == torch.float64
    assert not torch.equal(step, latents.slerp(*single, torch.zeros(5)))


@pytest.mark.parametrize("dims", [2, 6])
def test_n13_slerp_of_the_same_direction_stays_and_of_the_opposite_goes_round(dims: int) -> None:
    a = directions(20, dims)
    for t in (0.0, 0.25, 1.0):
        np.testing.assert_allclose(slerped(a, 3 * a, t), a, atol=1e-7)
        round_the_sphere = slerped(a, -a, t)
        np.testing.assert_allclose(np.linalg.norm(round_the_sphere, axis=1), 1, atol=1e-14)
        cosine = (round_the_sphere * a).sum(axis=1)
        np.testing.assert_allclose(cosine, np.cos(t * np.pi), atol=1e-7)


# Mixing.


@pytest.mark.parametrize("layers", [[], [0], [5], [1, 3, 3], range(6)])
def test_mixing_takes_the_chosen_layers_from_the_other(layers: list[int]) -> None:
    ws, other = torch.from_numpy(some_ws(seed=1)), torch.from_numpy(some_ws(seed=2))
    before = ws.clone()
    mixed = latents.mix_styles(ws, other, layers)
    for layer in range(NUM_WS):
        source = other if layer in layers else ws
        assert torch.equal(mixed[:, layer], source[:, layer])
    assert torch.equal(ws, before)


@pytest.mark.parametrize("layers", [[-1], [6], [0, 99]])
def test_mixing_refuses_layers_that_do_not_exist(layers: list[int]) -> None:
    ws = torch.zeros(1, NUM_WS, W_DIM)
    with pytest.raises(LatentError, match=r"`layers` must be within 0 to 5"):
        latents.mix_styles(ws, ws, layers)


def test_mixing_refuses_latents_of_different_shapes() -> None:
    with pytest.raises(LatentError, match=r"`other` must have shape \[2, 6, 5\]"):
        latents.mix_styles(torch.zeros(2, NUM_WS, W_DIM), torch.zeros(1, NUM_WS, W_DIM), [0])


@pytest.mark.parametrize(
    ("layers", "num_ws", "chosen"),
    [
        # The published figure's ranges of a 1024x1024 generator, which has 18 layers.
        ("coarse", 18, range(4)),
        ("middle", 18, range(4, 8)),
        ("fine", 18, range(8, 18)),
        ("fine", 10, range(8, 10)),
        ("middle", 6, range(4, 6)),
        ("coarse", 2, range(2)),
        ([5, 0, 5], 6, [0, 5]),
    ],
)
def test_style_layers_are_those_of_the_paper(
    layers: str | list[int], num_ws: int, chosen: range | list[int]
) -> None:
    assert latents.style_layers(layers, num_ws) == list(chosen)


@pytest.mark.parametrize(
    ("layers", "num_ws", "message"),
    [
        ("fine", 8, r"layers 0 to 7; fine styles begin with layer 8, at 64x64"),
        ("middle", 4, r"layers 0 to 3; middle styles begin with layer 4, at 16x16"),
        ("pose", 18, "coarse, middle, fine or numbers, but got 'pose'"),
        ([8], 8, r"layers 0 to 7, but `layers` is 8"),
        ([-1], 8, "is -1"),
        ([], 8, "is empty"),
        (range(1000), 8, "0, 1, 2, 3, 4, 5, 6, 7, ...$"),
    ],
)
def test_style_layers_that_do_not_exist_are_refused(
    layers: str | list[int], num_ws: int, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        latents.style_layers(layers, num_ws)


def test_one_w_for_all_layers_has_no_styles() -> None:
    with pytest.raises(LatentError, match="one w"):
        latents.style_layers("coarse", 1)


# Files that fit.


def test_ws_survive_the_round_trip_under_the_key_w(tmp_path: Path, g: Generator) -> None:
    path, ws = tmp_path / "projected_w.npz", torch.from_numpy(some_ws()).requires_grad_()
    latents.save_ws(path, ws)
    with np.load(path) as file:
        assert file.files == ["w"]
        np.testing.assert_array_equal(file["w"], some_ws())
    assert torch.equal(latents.load_ws(path, g), ws)


def test_noise_survives_the_round_trip(tmp_path: Path, g: Generator) -> None:
    path, noise = tmp_path / "noise.npz", some_noise(g, count=2)
    latents.save_noise(path, noise)
    with np.load(path) as file:
        assert file.files == [f"noise_{i}" for i in range(5)]
    loaded = latents.load_noise(path, g)
    assert [level.shape for level in loaded] == [(2, 1, res, res) for res in (4, 8, 8, 16, 16)]
    assert all(torch.equal(x, y) for x, y in zip(loaded, noise, strict=True))


@pytest.mark.parametrize("dtype", ["<f2", "<f8", ">f4"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_ws_of_other_tools_become_float32(
    tmp_path: Path, g: Generator, dtype: str, save: Callable[..., None]
) -> None:
    ws = some_ws().astype(dtype)
    save(tmp_path / "w.npz", w=ws)
    loaded = latents.load_ws(tmp_path / "w.npz", g)
    assert loaded.dtype == torch.float32
    np.testing.assert_array_equal(loaded.numpy(), ws.astype(np.float32))


# Files that do not.


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"w": np.zeros((2, NUM_WS, W_DIM + 1))}, r"`w` has shape \[2, 6, 6\].* \[N, 6, 5\]"),
        ({"w": np.zeros((2, NUM_WS - 1, W_DIM))}, r"`w` has shape \[2, 5, 5\]"),
        ({"w": np.zeros((NUM_WS, W_DIM))}, r"`w` has shape \[6, 5\]"),
        ({"w": np.zeros((0, NUM_WS, W_DIM))}, r"`w` has shape \[0, 6, 5\]"),
        ({"w": np.float64(0)}, r"`w` has shape \[\]"),
        ({"w": np.full((1, NUM_WS, W_DIM), np.nan)}, "`w` holds NaN or infinity"),
        ({"w": np.full((1, NUM_WS, W_DIM), -np.inf)}, "`w` holds NaN or infinity"),
        ({"w": np.full((1, NUM_WS, W_DIM), 1e300)}, "`w` holds"),
        ({"w": np.zeros((1, NUM_WS, W_DIM), dtype=int)}, "type int64, expected floats"),
        ({"w": np.zeros((1, NUM_WS, W_DIM), dtype=complex)}, "type complex128"),
        ({"w": np.zeros(1, dtype=[("x", "f4")])}, "expected floats"),
        ({"z": np.zeros((1, 6)), "c": np.zeros(1)}, "no array `w` inside, only z, c"),
        ({}, "no array `w` inside, only nothing"),
    ],
)
def test_d19_ws_that_do_not_fit_are_refused_with_path_and_reason(
    tmp_path: Path, g: Generator, arrays: dict[str, Any], message: str
) -> None:
    # 1e300 is finite in the file, yet not in the float32 that the networks take.
    path = tmp_path / "ws.npz"
    np.savez(path, **arrays)
    with pytest.raises(LatentError, match=message) as caught:
        latents.load_ws(path, g)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda maps: maps.pop("noise_4"), "no array `noise_4` inside"),
        (lambda maps: maps.update(noise_1=np.zeros((1, 1, 8, 4))), r"noise_1.*\[N, 1, 8, 8\]"),
        (lambda maps: maps.update(noise_0=np.zeros((4, 4))), "noise_0.*has shape"),
        (lambda maps: maps.update(noise_2=np.full((1, 1, 8, 8), np.nan)), "noise_2` holds NaN"),
    ],
    ids=["missing", "wrong size", "wrong rank", "NaN"],
)
def test_noise_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, g: Generator, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    maps: dict[str, Any] = {f"noise_{i}": x.numpy() for i, x in enumerate(some_noise(g))}
    change(maps)
    path = tmp_path / "noise.npz"
    np.savez(path, **maps)
    with pytest.raises(LatentError, match=message) as caught:
        latents.load_noise(path, g)
    assert str(path) in str(caught.value)


class Payload:
    """Makes a directory when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_d19_an_object_array_is_refused_and_its_payload_does_not_run(
    tmp_path: Path, g: Generator
) -> None:
    path, marker = tmp_path / "ws.npz", tmp_path / "marker"
    np.savez(path, w=np.array([Payload(marker)], dtype=object))
    with pytest.raises(LatentError, match="`w` has type object"):
        latents.load_ws(path, g)
    assert not marker.exists()

    with np.load(path, allow_pickle=True) as file:  # the payload is live
        file["w"]
    assert marker.exists()


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path, g: Generator) -> None:
    with pytest.raises(LatentError, match=r"nowhere\.npz: no such file"):
        latents.load_ws(tmp_path / "nowhere.npz", g)
    with pytest.raises(LatentError, match="not a readable"):
        latents.load_ws(tmp_path, g)


@pytest.mark.parametrize("content", [b"", b"P", b"some text", b"PK\x05\x06" + bytes(17)])
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, g: Generator, content: bytes) -> None:
    path = tmp_path / "ws.npz"
    path.write_bytes(content)
    with pytest.raises(LatentError, match="not a readable"):
        latents.load_ws(path, g)


def test_a_bare_npy_named_npz_is_refused(tmp_path: Path, g: Generator) -> None:
    path = tmp_path / "ws.npz"
    with path.open("wb") as file:
        np.save(file, some_ws())
    with pytest.raises(LatentError, match="not a readable"):
        latents.load_ws(path, g)


def member(header: bytes, payload: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + payload


@pytest.mark.parametrize(
    "content",
    [
        b"not an array",
        member(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 6, 5), }\n", bytes(8)),
        member(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }\n"),
        member(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2**62, 2**62), }\n"),
        member(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n"),
        member(b"{'descr': 'what', 'fortran_order': False, 'shape': (1,), }\n"),
        member(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, \n"),
        member(b"{[]: 1}\n"),
        member(b"(" * 5000),
    ],
    ids=[
        "no array", "short", "4 TiB", "product", "negative", "unknown type", "open bracket",
        "unhashable", "nested",
    ],
)  # fmt: skip
def test_a_damaged_array_inside_the_archive_is_refused(
    tmp_path: Path, g: Generator, content: bytes
) -> None:
    path = tmp_path / "ws.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", content)
    with pytest.raises(LatentError):
        latents.load_ws(path, g)


def patched(content: bytes, offset: int, value: bytes) -> bytes:
    """Change the archive's index; offsets as in section 4.3.12 of the zip specification."""
    start = content.index(b"PK\x01\x02") + offset
    return content[:start] + value + content[start + len(value) :]


@pytest.mark.parametrize(
    ("offset", "value"),
    [(8, b"\1\0"), (10, b"\x63\0"), (16, b"\0\0\0\0")],
    ids=["encrypted", "unknown compression", "wrong checksum"],
)
def test_an_archive_whose_index_is_off_is_refused(
    tmp_path: Path, g: Generator, offset: int, value: bytes
) -> None:
    path = tmp_path / "ws.npz"
    np.savez(path, w=some_ws())
    path.write_bytes(patched(path.read_bytes(), offset, value))
    with pytest.raises(LatentError):
        latents.load_ws(path, g)


def test_d19_an_array_of_over_256_mib_is_refused_by_its_header(
    tmp_path: Path, g: Generator
) -> None:
    path, header = tmp_path / "ws.npz", io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (2**22, g.num_ws, g.w_dim)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", header.getvalue())
    with pytest.raises(LatentError, match="0 bytes of numbers do not make"):
        latents.load_ws(path, g)


def test_every_cut_of_a_latent_file_is_refused(tmp_path: Path, g: Generator) -> None:
    path = tmp_path / "ws.npz"
    np.savez(path, w=some_ws())
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(LatentError):
            latents.load_ws(path, g)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bytes_end_in_latent_error_or_the_same_latents(
    tmp_path: Path, g: Generator, save: Callable[..., None]
) -> None:
    path, draw = tmp_path / "ws.npz", random.Random(0)
    save(path, w=some_ws())
    content = path.read_bytes()
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(draw.choice([1, 1, 2, 4])):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(latents.load_ws(path, g).numpy(), some_ws())
        except LatentError:
            refused += 1
    assert refused > 200


# The statistics of W.


def mapped(g: Generator, z: NDArray[Any], c: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """The mapping network in plain float64 numpy (section 2, Karras et al. 2019)."""

    def layer(x: NDArray[Any], name: str, rate: float) -> NDArray[Any]:
        weight, bias = (
            g.state_dict()[f"mapping.{name}.{part}"].double().numpy() for part in ("weight", "bias")
        )
        return x @ (weight * rate / np.sqrt(x.shape[1])).T + bias * rate

    def normalised(x: NDArray[Any]) -> NDArray[Any]:
        return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)

    w = normalised(z)
    if c is not None:
        w = np.concatenate([w, normalised(layer(c, "embed", 1.0))], axis=1)
    for i in range(g.config.mapping_layers):
        x = layer(w, f"fc{i}", g.config.mapping_lr_multiplier)
        w = np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
    return w


def mean_and_deviation(w: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    mean = w.mean(axis=0)
    return mean, np.sqrt(((w - mean) ** 2).sum() / len(w))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["f32", "f64"]
)
def test_w_statistics_are_those_of_plain_numpy(dtype: torch.dtype, tolerance: float) -> None:
    g = make_generator().to(dtype)
    z = np.random.RandomState(123).randn(2500, g.z_dim)  # more than two batches
    mean, deviation = latents.w_statistics(g, samples=2500)
    expected_mean, expected_deviation = mean_and_deviation(mapped(g, z))
    assert mean.dtype == deviation.dtype == dtype
    assert mean.shape == (W_DIM,)
    np.testing.assert_allclose(mean.numpy(), expected_mean, rtol=tolerance, atol=tolerance)
    assert deviation.item() == pytest.approx(expected_deviation, rel=tolerance)


@pytest.mark.parametrize("label", [None, 2])
def test_w_statistics_of_a_conditional_generator_use_one_class_or_all_in_turn(
    label: int | None,
) -> None:
    g = make_generator(c_dim=3).double()
    z = np.random.RandomState(123).randn(1100, g.z_dim)
    classes = np.arange(1100) % 3 if label is None else np.full(1100, label)
    c = None if label is None else latents.one_hot(label, 3)
    mean, deviation = latents.w_statistics(g, samples=1100, c=c)
    expected_mean, expected_deviation = mean_and_deviation(mapped(g, z, np.eye(3)[classes]))
    np.testing.assert_allclose(mean.numpy(), expected_mean, rtol=1e-12, atol=1e-12)
    assert deviation.item() == pytest.approx(expected_deviation, rel=1e-12)


def test_w_statistics_refuse_a_label_of_the_wrong_shape() -> None:
    with pytest.raises(LatentError, match=r"`c` must have shape \[1, 3\]"):
        latents.w_statistics(make_generator(c_dim=3), samples=4, c=torch.zeros(2, 3))
