"""Which files folders and patterns stand for (I17), whatever their names."""

import os
import unicodedata
from pathlib import Path

import pytest

from latentlab.errors import ImageError
from latentlab.picture_files import find_pictures


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def listed(*sources: Path | str, root: Path, **options: bool) -> list[str]:
    found = find_pictures(sources, **options)
    return [path.relative_to(root).as_posix() for path in found]


def test_a_folder_is_listed_sorted_with_those_inside(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a/z.jpg", "a/a.JPEG", "c.webp", "a/b/c.heic", "B.tif", "readme.txt")
    wanted = ["B.tif", "a/a.JPEG", "a/b/c.heic", "a/z.jpg", "b.png", "c.webp"]
    assert listed(tmp_path, root=tmp_path) == wanted
    assert listed(tmp_path, root=tmp_path, recursive=False) == ["B.tif", "b.png", "c.webp"]


def test_hidden_files_and_thumbnails_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", ".hidden.png", "._a.png", ".cache/b.png", "Thumbs.db", "desktop.ini")
    assert listed(tmp_path, root=tmp_path) == ["a.png"]


def test_a_hidden_file_that_is_named_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.png")
    assert listed(tmp_path / ".hidden.png", root=tmp_path) == [".hidden.png"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    assert listed(tmp_path, root=tmp_path) == ["a/x.png"]


def test_a_link_counts_unless_its_target_does(tmp_path: Path) -> None:
    touch(tmp_path, "in/x.png", "out/y.png", "out/z.png")
    (tmp_path / "in" / "again.png").symlink_to(tmp_path / "in" / "x.png")
    (tmp_path / "in" / "other.png").symlink_to(tmp_path / "out" / "y.png")
    (tmp_path / "in" / "twice.png").symlink_to(tmp_path / "out" / "y.png")
    (tmp_path / "in" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    assert listed(tmp_path / "in", root=tmp_path) == ["in/other.png", "in/x.png"]


def test_a_linked_folder_is_searched(tmp_path: Path) -> None:
    touch(tmp_path, "store/x.png", "photos/y.png")
    (tmp_path / "photos" / "more").symlink_to(tmp_path / "store")
    assert listed(tmp_path / "photos", root=tmp_path) == ["photos/more/x.png", "photos/y.png"]


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "A.png", "a.PNG"],
        [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")],
        ["two words.png", " .png", "new\nline.png", "tab\t.png"],
        ["a.png", "a.jpg", "a.webp"],
        ["[1].png", "{a,b}.png", "-o.png", "=1+1.png", "$HOME.png"],
    ],
)
def test_each_file_is_listed_once_whatever_its_name(names: list[str], tmp_path: Path) -> None:
    touch(tmp_path, *names)
    assert listed(tmp_path, tmp_path, root=tmp_path) == sorted(os.listdir(tmp_path))
    one_by_one = [tmp_path / name for name in names]
    assert listed(*one_by_one, root=tmp_path) == names


def test_the_order_does_not_come_from_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *(f"{i}.png" for i in range(9)))
    wanted = find_pictures([tmp_path])
    original = os.scandir

    class Backwards:
        def __init__(self, path: str) -> None:
            with original(path) as entries:
                self.entries = list(entries)[::-1]

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Backwards)
    assert find_pictures([tmp_path]) == wanted == sorted(wanted)


def test_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.jpg", "c.txt", "in/d.png", "[x].png")
    assert listed(f"{tmp_path}/*.png", root=tmp_path) == ["[x].png", "a.png"]
    assert listed(f"{tmp_path}/*", root=tmp_path) == ["[x].png", "a.png", "b.jpg"]
    assert "in/d.png" in listed(f"{tmp_path}/**/*.png", root=tmp_path)
    assert listed(tmp_path / "[x].png", root=tmp_path) == ["[x].png"], "a file of that name"


def test_a_missing_file_is_left_to_the_reader(tmp_path: Path) -> None:
    assert listed(tmp_path / "none.png", root=tmp_path) == ["none.png"]


@pytest.mark.parametrize("source", ["empty", "none-*.png"])
def test_where_nothing_is_found_the_message_says_what_was_looked_for(
    source: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=rf"{source.replace('*', '.')}.*\.png, \.jpg"):
        find_pictures([tmp_path / source])


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may list every folder")
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(ImageError, match="closed"):
        find_pictures([tmp_path / "closed"])
