"""One writer for each folder, whatever the order in which others come and go."""

import sys
from contextlib import ExitStack

import pytest

from cli.running.folder_lock import LOCK, claimed, claimed_file
from latentlab import OutputError


def test_a_second_writer_is_refused_until_the_first_has_left(tmp_path):
    with claimed(tmp_path):
        with pytest.raises(OutputError, match="another latentlab is writing there"):
            ExitStack().enter_context(claimed(tmp_path))
        assert (tmp_path / LOCK).exists()
    with claimed(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="there, nobody can remove an open file")
def test_who_has_opened_the_lock_of_one_who_leaves_does_not_hold_the_next_ones(
    tmp_path, monkeypatch
):
    """The second opens the lock's file, the first removes it and leaves, the third makes one."""
    import fcntl

    first, third, flock = ExitStack(), ExitStack(), fcntl.flock

    def late(handle, operation):
        monkeypatch.setattr(fcntl, "flock", flock)
        first.close()
        third.enter_context(claimed(tmp_path))
        return flock(handle, operation)

    with third:
        first.enter_context(claimed(tmp_path))
        monkeypatch.setattr(fcntl, "flock", late)
        with pytest.raises(OutputError, match="another latentlab"):
            ExitStack().enter_context(claimed(tmp_path))
    with claimed(tmp_path):
        pass


def test_an_error_of_the_work_passes_as_it_is(tmp_path):
    def work():
        with claimed(tmp_path):
            raise BlockingIOError("a pipe is full")

    with pytest.raises(BlockingIOError, match="a pipe is full"):
        work()
    assert not (tmp_path / LOCK).exists()


def test_what_a_kill_has_left_holds_nobody_up(tmp_path):
    (tmp_path / LOCK).write_text("left behind")
    with claimed(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def failing(folder):
    with claimed(folder):
        raise ValueError("nothing was written")


def test_folders_that_were_made_for_nothing_go_again(tmp_path):
    with pytest.raises(ValueError, match="nothing was written"):
        failing(tmp_path / "a" / "b" / "c")
    assert not list(tmp_path.iterdir())
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="nothing was written"):
        failing(tmp_path / "a" / "b")
    assert [*tmp_path.rglob("*")] == [tmp_path / "a"]


def test_a_dry_run_holds_and_makes_nothing(tmp_path):
    with claimed(tmp_path / "out", dry_run=True), claimed(tmp_path / "out", dry_run=True):
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "said"), [
    ("file", "is a file, not a folder; give another `output`"), ("x" * 300, "name too long"),
    ("file/out", "cannot be written"),
])  # fmt: skip
def test_j15_what_can_be_no_folder_is_told(name, said, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"(?i){said}"):
        failing(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_j12_one_file_has_one_writer_and_others_beside_it_their_own(tmp_path):
    file = tmp_path / ("x" * 250)  # the name of its lock would be too long
    with claimed_file(tmp_path / "a"), claimed_file(tmp_path / "b"), claimed_file(file):
        for each in (tmp_path / "a", file):
            with pytest.raises(OutputError, match="another latentlab is writing there"):
                ExitStack().enter_context(claimed_file(each))
    assert not list(tmp_path.iterdir())
    with claimed_file(tmp_path / "missing" / "a"):  # whoever writes it says so
        pass
