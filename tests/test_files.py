"""Files are written whole or not at all, and failures are named."""

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
from cli.reports.tables import write_table
from latentlab import files
from latentlab.errors import OutputError
from latentlab.files import atomic_write, make_directory, sha256_of
from latentlab.latents import save_ws
from tests.conftest import make_generator

OLD = b"the previous file"

# Every writer in turn writes, and then meets a disk that takes 1,000 bytes more, as a full one.
FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
import pandas as pd
import torch
import latentlab
from cli.reports.tables import write_table
from latentlab.errors import OutputError
from latentlab.files import atomic_write, write_bytes
from latentlab.images import save_image
from latentlab.latents import save_ws
from tests.conftest import make_generator

def piecewise(path):
    with atomic_write(path) as temporary, temporary.open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(500))

picture = torch.rand(3, 64, 64)
writers = {
    "plain.bin": lambda path: write_bytes(path, bytes(100_000)),
    "parts.bin": piecewise,
    "ws.npz": lambda path: save_ws(path, torch.zeros(1, 100, 512)),
    "image.png": lambda path: save_image(path, picture),
    "g.safetensors": lambda path: latentlab.save(make_generator(), path),
    "g.pt": lambda path: latentlab.export(make_generator(), path, "nvidia-state"),
    "rows.csv": lambda path: write_table(pd.DataFrame({"x": range(1000)}), path),
}
folder, told = Path(sys.argv[1]), {}
for name, write in writers.items():
    write(folder / "whole" / name)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for name, write in writers.items():
    try:
        write(folder / name)
        told[name] = 0, "written"
    except OutputError as error:
        told[name] = error.exit_code, str(error)
    except Exception as error:
        told[name] = 1, repr(error)
print(json.dumps(told))
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
    names = ["g.pt", "g.safetensors", "image.png", "parts.bin", "plain.bin", "rows.csv", "ws.npz"]
    (tmp_path / "whole").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(OLD)
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True, text=True, timeout=200, check=False,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout)
    assert sorted(told) == names
    for name, (code, message) in told.items():
        assert code == 6, message
        assert message.startswith(f"{tmp_path / name}: cannot be written")
        found = re.search(r"; it takes at least ([\d,]+) bytes\)", message)
        assert found is not None, message
        size, least = (tmp_path / "whole" / name).stat().st_size, int(found[1].replace(",", ""))
        # Headers are left out. Where only the writer knows, it is what was written so far.
        assert (0.5 * size if name not in ("parts.bin", "g.pt") else 1000) <= least <= size, name
    assert {(tmp_path / name).read_bytes() for name in names} == {OLD}
    assert names_in(tmp_path) == sorted([*names, "whole"])


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_j03_no_file_needs_a_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every writer puts what is in the making beside the result, so that it is renamed at once."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    for name in ("gettempdir", "mkstemp", "TemporaryFile", "NamedTemporaryFile"):
        monkeypatch.setattr(tempfile, name, refuse)
    moved: list[tuple[Path, Path]] = []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        moved.append((Path(source), Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    latentlab.save(make_generator(), tmp_path / "g.safetensors")
    command = ["generate", str(tmp_path / "g.safetensors"), "--seeds", "0-1"]
    done = CliRunner().invoke(main, [*command, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.stderr
    save_ws(tmp_path / "ws.npz", torch.zeros(1, 2, 3))
    write_table(pd.DataFrame({"x": [1]}), tmp_path / "rows.csv")
    latentlab.export(make_generator(), tmp_path / "g.pt", "nvidia-state")
    assert len(moved) >= 6
    assert [(a, b) for a, b in moved if a.parent != b.parent] == []


def test_sha256_is_that_of_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"abc")  # the first example of FIPS 180-4
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
