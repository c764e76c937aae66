"""The one reader of .npz; more damaged files are in test_latents.py."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentlab.errors import LatentError
from latentlab.tensor_files import npz_names, read_npz, write_npz

TWO = [("N", "D"), ("N", 3, "D")]


def array_bytes(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_npy", ".npy"), content)
    return path


def test_arrays_survive_the_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays = {"w": torch.randn(2, 3, 5), "z": torch.randn(4, 2)}
    write_npz(path, arrays)
    assert npz_names(path) == ["w", "z"]
    found = read_npz(path, {"z": TWO, "w": TWO})
    assert all(torch.equal(torch.from_numpy(found[name]), arrays[name]) for name in arrays)


@pytest.mark.parametrize("shape", [(2, 5), (2, 3, 5)])
def test_any_of_the_shapes_will_do_and_the_type_is_kept(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    np.savez(tmp_path / "a.npz", w=np.full(shape, 1e300))
    found = read_npz(tmp_path / "a.npz", {"w": TWO})["w"]
    assert (found.shape, found.dtype) == (shape, np.float64)
    with pytest.raises(LatentError, match="`w` holds NaN or infinity, or values beyond float32"):
        read_npz(tmp_path / "a.npz", {"w": TWO}, dtype=np.float32)


@pytest.mark.parametrize("shape", [(5,), (0, 5), (2, 4, 5), (2, 3, 0), (1, 2, 3, 5)])
def test_other_shapes_are_refused_with_those_that_fit(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    np.savez(tmp_path / "a.npz", w=np.zeros(shape))
    with pytest.raises(LatentError) as caught:
        read_npz(tmp_path / "a.npz", {"w": TWO}, " for a test")
    assert str(caught.value) == (
        f"{tmp_path}/a.npz: `w` has shape {list(shape)}, expected floats [N, D] or [N, 3, D] "
        "for a test"
    )


def test_the_array_that_was_checked_is_the_one_that_is_read(tmp_path: Path) -> None:
    # numpy.load reads the member `w` where both are there.
    path = archive_of(
        tmp_path / "a.npz", w=array_bytes(np.full([9, 9, 9, 9], np.nan)),
        w_npy=array_bytes(np.ones([1, 2])),
    )  # fmt: skip
    with np.load(path) as file:
        assert file["w"].shape == (9, 9, 9, 9)
    assert read_npz(path, {"w": TWO})["w"].shape == (1, 2)


def test_an_array_larger_than_allowed_is_refused_by_its_header(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.ones([2, 5]))
    read_npz(tmp_path / "a.npz", {"w": TWO}, max_bytes=80)
    with pytest.raises(LatentError, match="`w` holds over 79 bytes; split the file"):
        read_npz(tmp_path / "a.npz", {"w": TWO}, max_bytes=79)


def test_a_header_without_end_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 0
    read = zipfile.ZipExtFile.read

    def counting(member: zipfile.ZipExtFile, size: int = -1) -> bytes:
        nonlocal most
        found = read(member, size)
        most = max(most, len(found))
        return found

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    header = b"\x93NUMPY\x02\0" + struct.pack("<I", 50_000_000) + b" " * 50_000_000
    path = archive_of(tmp_path / "a.npz", w_npy=header)
    assert path.stat().st_size < 100_000
    with pytest.raises(LatentError, match=r"not a readable \.npz"):
        read_npz(path, {"w": TWO})
    assert most < 1_000_000


def test_a_fault_of_our_own_code_is_not_told_as_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: Any) -> None:
        raise TypeError("planted")

    np.savez(tmp_path / "a.npz", w=np.ones([2, 5]))
    monkeypatch.setattr("latentlab.tensor_files._fits", faulty)
    with pytest.raises(TypeError, match="planted"):
        read_npz(tmp_path / "a.npz", {"w": TWO})


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04"])
def test_names_of_a_missing_or_damaged_file_are_refused(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(LatentError, match=r"a\.npz: (no such file|not a readable)"):
        npz_names(tmp_path / "a.npz")
