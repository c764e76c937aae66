"""Which files are pictures, in which order; i17 and i19 are faults that a reader must survive."""

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from latentlab.errors import ImageError
from latentlab.images import decode, listing
from latentlab.images.listing import find_pictures
from tests.support.picture_bytes import encode, noise


def make(folder: Path, *names: str) -> list[Path]:
    """Make empty files, with the folders they stand in."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return [folder / name for name in names]


def names(folder: Path, found: list[Path]) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in found]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    make(
        tmp_path, "b.png", "a.JPG", "a.png", "more/c.webp", "more/z/d.tif", "more.png", "x.heic",
        "notes.txt", "more/readme", "clip.gif", "Thumbs.db", "desktop.ini", ".hidden.png",
        ".cache/e.png", "more/._f.png", "__MACOSX/._g.png",
    )  # fmt: skip
    return tmp_path


ALL = ["a.JPG", "a.png", "b.png", "more/c.webp", "more/z/d.tif", "more.png", "x.heic"]


def test_i17_a_folder_stands_for_its_pictures_sorted_by_the_parts_of_their_path(
    album: Path,
) -> None:
    assert names(album, find_pictures([album])) == ALL
    assert find_pictures([album]) == sorted(find_pictures([album]))
    assert find_pictures([str(album)]) == find_pictures([album])


def test_a_folder_alone_leaves_out_the_folders_inside(album: Path) -> None:
    found = find_pictures([album], recursive=False)
    assert names(album, found) == [name for name in ALL if "/" not in name]


def test_the_order_of_the_sources_is_kept(album: Path) -> None:
    found = find_pictures([album / "b.png", album / "more", album / "a.png"])
    assert names(album, found) == ["b.png", "more/c.webp", "more/z/d.tif", "a.png"]


def test_the_order_is_that_of_names_whatever_the_disk_says(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Backwards:
        def __init__(self, folder: str) -> None:
            with plain(folder) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None:
            pass

    plain = os.scandir
    monkeypatch.setattr(listing.os, "scandir", Backwards)
    assert names(album, find_pictures([album])) == ALL


def test_a_file_named_by_hand_is_kept_whatever_its_name(album: Path) -> None:
    odd = [album / "notes.txt", album / ".hidden.png", album / "clip.gif", album / "Thumbs.db"]
    assert find_pictures(odd) == odd


def test_i19_a_missing_file_is_kept_so_that_reading_it_can_say_so(album: Path) -> None:
    gone = album / "gone.png"
    assert find_pictures([gone, album / "a.png"]) == [gone, album / "a.png"]
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        decode(gone)


def test_i19_files_that_change_after_they_were_listed_are_named(tmp_path: Path) -> None:
    content = encode(Image.fromarray(noise(32, 32)), "PNG")
    for name in ("cut", "kept", "now a folder", "now text", "removed"):
        (tmp_path / f"{name}.png").write_bytes(content)
    cut, kept, folder, text, removed = find_pictures([tmp_path])
    cut.write_bytes(content[: len(content) // 2])
    folder.unlink()
    folder.mkdir()
    text.write_text("moved to the archive")
    removed.unlink()

    assert decode(kept).picture.size == (32, 32)
    for path, reason in [(cut, "cannot be read"), (folder, "directory"), (text, "not a picture"),
                         (removed, "no such file")]:  # fmt: skip
        with pytest.raises(ImageError, match=reason) as caught:
            decode(path)
        assert str(caught.value).startswith(str(path))


# Each file once.


def test_i17_a_file_reached_twice_is_there_once(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (album / "a second name.png").symlink_to(album / "b.png")
    (album / "more" / "back").symlink_to(album / "more" / "z", target_is_directory=True)
    expected = ["a second name.png", "a.JPG", "a.png", "more/back/d.tif", "more/c.webp",
                "more.png", "x.heic"]  # fmt: skip
    assert names(album, find_pictures([album])) == expected
    again = [album, album / "more" / "..", album / "b.png", f"{album}/./more/*", album]
    assert names(album, find_pictures(again)) == expected
    monkeypatch.chdir(album)
    assert find_pictures(["a.png", album / "a.png", "./a.png", "more/../a.png"]) == [Path("a.png")]


def test_i17_loops_of_links_end(album: Path) -> None:
    (album / "more" / "up").symlink_to(album, target_is_directory=True)
    (album / "more" / "here").symlink_to(".", target_is_directory=True)
    (album / "more" / "out").symlink_to("../..", target_is_directory=True)
    (album / "one").mkdir()
    (album / "two").mkdir()
    (album / "one" / "two").symlink_to(album / "two", target_is_directory=True)
    (album / "two" / "one").symlink_to(album / "one", target_is_directory=True)
    assert names(album, find_pictures([album])) == ALL
    assert names(album, find_pictures([f"{album}/**/*.*"])) == ALL


def test_i17_a_link_to_nowhere_is_kept_and_a_pipe_is_not(album: Path) -> None:
    (album / "lost.png").symlink_to("nowhere.png")
    (album / "self.png").symlink_to("self.png")
    os.mkfifo(album / "pipe.png")
    found = find_pictures([album])
    assert names(album, found) == sorted([*ALL, "lost.png", "self.png"], key=lambda n: n.split("/"))
    for name in ("lost.png", "self.png"):
        with pytest.raises(ImageError, match=name):
            decode(album / name)


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "disk/a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert names(tmp_path, find_pictures([tmp_path / "set"])) == ["set/train/a.png"]
    (tmp_path / "link").symlink_to(tmp_path / "set", target_is_directory=True)
    assert names(tmp_path, find_pictures([tmp_path / "link"])) == ["link/train/a.png"]


def test_i17_twins_are_different_files_in_an_order_that_stays(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "é.png")
    twins = [
        "A.PNG", "A.png", "a.jpg", "a.png", "a.tif", "b/a.png", "with space.png",
        "with\nnewline.png", composed, unicodedata.normalize("NFD", composed),
        os.fsdecode(b"\xff.png"),
    ]  # fmt: skip
    made = set(make(tmp_path, *twins))
    if len(set(tmp_path.iterdir())) < len(twins):
        pytest.skip("this disk holds no such names")
    found = find_pictures([tmp_path])
    assert set(found) == made
    assert found == sorted(made)
    assert find_pictures([f"{tmp_path}/**/*"]) == found
    assert all(find_pictures([file]) == [file] for file in found)


# Patterns.


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["a.png", "b.png", "more.png"]),
        ("?.png", ["a.png", "b.png"]),
        ("[ab].*", ["a.JPG", "a.png", "b.png"]),
        ("[!a].png", ["b.png"]),
        ("*.gif", ["clip.gif"]),
        ("*.jpg", None),
        ("*.JPG", ["a.JPG"]),
        ("*", ALL),
        ("m*", ["more/c.webp", "more/z/d.tif", "more.png"]),
        ("*/*.webp", ["more/c.webp"]),
        ("**/*.tif", ["more/z/d.tif"]),
        ("**", ALL),
        ("**/**/*.*", ALL),
        ("more/**/*.*", ["more/c.webp", "more/z/d.tif"]),
        (".*.png", [".hidden.png"]),
        (".cache/*", [".cache/e.png"]),
        ("*/nothing/*.png", None),
        ("b.png/*", None),
        ("gone/*.png", None),
    ],
)
def test_a_pattern_stands_for_what_it_matches(
    album: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: list[str] | None
) -> None:
    monkeypatch.chdir(album)
    if expected is None:
        with pytest.raises(ImageError, match=r"no pictures match this pattern \(looked for .*png"):
            find_pictures([pattern])
        return
    assert [file.as_posix() for file in find_pictures([pattern])] == expected
    assert names(album, find_pictures([album / pattern])) == expected


def test_names_with_brackets_are_names_first(tmp_path: Path) -> None:
    made = make(tmp_path, "a[1].png", "a1.png", "album [2]/x.png", "album 2/x.png", "what?.png")
    assert find_pictures([made[0]]) == [made[0]]
    assert find_pictures([tmp_path / "album [2]"]) == [made[2]]
    assert find_pictures([tmp_path / "what?.png"]) == [made[4]]
    assert find_pictures([tmp_path / "album [2]" / "*.png"]) == [made[3], made[2]]
    assert find_pictures([tmp_path / "a[12].png"]) == [made[1]]


def test_a_pattern_of_one_folder_leaves_out_the_folders_inside(album: Path) -> None:
    with pytest.raises(ImageError, match="no pictures match"):
        find_pictures([album / "mor[e]" / "z*" / "*" / "*"], recursive=False)
    assert names(album, find_pictures([album / "mor?"], recursive=False)) == ["more/c.webp"]


# What is refused.


@pytest.mark.parametrize("kept", [[], ["notes.txt", ".hidden.png", "Thumbs.db", ".x/a.png"]])
def test_a_folder_without_pictures_is_refused_with_what_was_looked_for(
    tmp_path: Path, kept: list[str]
) -> None:
    make(tmp_path, *kept)
    with pytest.raises(ImageError) as caught:
        find_pictures([tmp_path])
    assert str(caught.value).startswith(f"{tmp_path}: no pictures in this folder (looked for .png")


def test_an_empty_name_is_not_the_folder_one_stands_in(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(album)
    with pytest.raises(ImageError, match="name is empty"):
        find_pictures([""])


def test_no_sources_give_no_pictures() -> None:
    assert find_pictures([]) == []


def test_a_folder_that_may_not_be_listed_is_named(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.scandir

    def closed(folder: str) -> object:
        if folder.endswith("z"):
            raise PermissionError(13, "Permission denied", folder)
        return plain(folder)

    monkeypatch.setattr(listing.os, "scandir", closed)
    with pytest.raises(ImageError, match=r"more/z: the folder cannot be listed \(Permission den"):
        find_pictures([album])


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b.png"])
def test_names_that_no_disk_holds_are_kept_for_reading_to_refuse(name: str) -> None:
    assert find_pictures([name]) == [Path(name)]
    with pytest.raises(ImageError):
        decode(name)


@pytest.mark.slow
def test_seventy_thousand_files_are_listed(tmp_path: Path) -> None:
    for folder in range(70):
        make(tmp_path, *(f"{folder:02}000/{i:03}.png" for i in range(1000)))
    found = find_pictures([tmp_path])
    assert len(found) == 70_000
    assert found == sorted(found)
