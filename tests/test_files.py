"""Files are written whole or not at all, and failures are named."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from latentlab import files
from latentlab.errors import OutputError
from latentlab.files import atomic_write, make_directory, sha256_of

OLD = b"the previous file"

# Every writer in turn meets a disk that takes 1,000 bytes more, as a full one does.
FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
import torch
from latentlab.errors import OutputError
from latentlab.files import atomic_write
from latentlab.images import save_image
from latentlab.latents import save_ws

def save_bytes(path):
    with atomic_write(path) as temporary:
        temporary.write_bytes(bytes(100_000))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
messages = {}
for name, write in {
    "plain.bin": save_bytes,
    "ws.npz": lambda path: save_ws(path, torch.zeros(1, 100, 512)),
    "image.png": lambda path: save_image(path, torch.rand(3, 64, 64)),
}.items():
    try:
        write(Path(sys.argv[1]) / name)
        messages[name] = "written"
    except OutputError as error:
        messages[name] = f"OutputError: {error}"
    except Exception as error:
        messages[name] = repr(error)
print(json.dumps(messages))
"""


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def write(path: Path, content: bytes = b"new") -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def test_a_new_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    with atomic_write(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".txt"
        temporary.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert names_in(tmp_path) == ["result.txt"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_bytes(OLD * 100)
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["result.txt"]


def test_a_file_is_written_on_a_system_that_opens_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows is such a one; it flushes no file that is open for reading alone, either."""
    open_file = os.open

    def open_as_windows(path: Path, flags: int, *mode: int) -> int:
        if Path(path).is_dir() or (flags == os.O_RDONLY):
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, flags, *mode)

    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(os, "open", open_as_windows)
    write(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write(tmp_path / "atomic")
    (tmp_path / "plain").write_bytes(b"new")
    modes = {(tmp_path / name).stat().st_mode for name in ("atomic", "plain")}
    assert len(modes) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_previous_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "result.txt"
    path.write_bytes(OLD)

    def fail_half_way() -> None:
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"half")
            raise error("half way")

    with pytest.raises(error, match="half way"):
        fail_half_way()
    assert path.read_bytes() == OLD
    assert names_in(tmp_path) == ["result.txt"]


def below_a_file(folder: Path) -> Path:
    (folder / "file").write_bytes(OLD)
    return folder / "file" / "result.txt"


def below_nothing(folder: Path) -> Path:
    return folder / "nowhere" / "result.txt"


def onto_a_folder(folder: Path) -> Path:
    (folder / "result.txt").mkdir()
    return folder / "result.txt"


def with_a_name_too_long(folder: Path) -> Path:
    return folder / ("n" * 300)


@pytest.mark.parametrize(
    "place", [below_a_file, below_nothing, onto_a_folder, with_a_name_too_long]
)
def test_j15_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    path = place(tmp_path)
    before = names_in(tmp_path)
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert names_in(tmp_path) == before


def test_a_file_with_the_longest_legal_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".npz")
    write(path)
    assert path.read_bytes() == b"new"


def test_a_directory_is_made_with_its_parents_and_may_exist(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two"
    assert make_directory(path) == path
    assert make_directory(str(path)) == path
    assert path.is_dir()


@pytest.mark.parametrize("below", [False, True])
def test_a_directory_in_the_place_of_a_file_is_refused(tmp_path: Path, below: bool) -> None:
    file = tmp_path / "file"
    file.write_bytes(OLD)
    path = file / "folder" if below else file
    with pytest.raises(OutputError, match="cannot be written"):
        make_directory(path)
    assert file.read_bytes() == OLD


def test_j15_a_directory_that_takes_no_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Permission bits do not stop an administrator, so the answer of the system is replaced.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(OutputError, match="the folder is read-only"):
        make_directory(tmp_path)


def test_j04_a_full_disk_is_an_output_error_and_leaves_the_previous_files(tmp_path: Path) -> None:
    names = ["image.png", "plain.bin", "ws.npz"]
    for name in names:
        (tmp_path / name).write_bytes(OLD)
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    messages = json.loads(child.stdout)
    assert sorted(messages) == names
    for name, message in messages.items():
        assert message.startswith(f"OutputError: {tmp_path / name}: cannot be written")
    assert {(tmp_path / name).read_bytes() for name in names} == {OLD}
    assert names_in(tmp_path) == names


def test_sha256_is_that_of_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"abc")  # the first example of FIPS 180-4
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
