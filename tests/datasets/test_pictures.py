"""Training sets and the order in which they are shown."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor

from latentlab.datasets.digits import one_of_each
from latentlab.datasets.picture_files import PictureFiles
from latentlab.datasets.pictures import DigitsDataset, PictureDataset, open_dataset
from latentlab.errors import DataError, ImageError
from latentlab.training.samplers import RealSampler

NAMES = ["a.png", "b/c.PNG", "b/d.bmp", "e.webp"]  # in sorted order
CLASSES = [["e.webp", 2], ["a.png", 0], ["b/c.PNG", 1], ["b/d.bmp", 0], ["elsewhere.png", 7]]


def pixels_of(name: str, width: int = 8, height: int = 8) -> NDArray[np.uint8]:
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(name: str, width: int = 8, height: int = 8) -> bytes:
    file = io.BytesIO()
    kind = Path(name).suffix[1:].upper()
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(pixels_of(name, width, height)).save(file, format=kind, **options)
    return file.getvalue()


def expected_image(name: str) -> NDArray[np.float64]:
    return pixels_of(name).transpose(2, 0, 1) / 127.5 - 1


def as_folder(place: Path, files: Mapping[str, bytes]) -> Path:
    folder = place / "pictures"
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def as_zip(place: Path, files: Mapping[str, bytes]) -> Path:
    path = place / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in reversed(files):  # the order inside must not matter
            archive.writestr(name, files[name])
    return path


Maker = Callable[[Path, Mapping[str, bytes]], Path]
both_kinds = pytest.mark.parametrize("make", [as_folder, as_zip])


def picture_files(labels: Any = None) -> dict[str, bytes]:
    files = {name: encoded(name) for name in NAMES}
    if labels is not None:
        files["dataset.json"] = json.dumps({"labels": labels}).encode()
    return files


# The built-in digits.


@pytest.mark.parametrize(("split", "count"), [("train", 1498), ("held-out", 299)])
@pytest.mark.parametrize("channels", [1, 3])
def test_digits_have_the_documented_counts_shapes_and_range(
    split: Any, count: int, channels: int
) -> None:
    digits = DigitsDataset(split, channels)
    assert (len(digits), digits.resolution, digits.channels, digits.c_dim) == (
        count, 32, channels, 0,
    )  # fmt: skip
    image = torch.stack([digits.image(i) for i in range(0, count, 10)])
    assert image.shape[1:] == (channels, 32, 32)
    assert image.dtype == torch.float32
    assert (image.min(), image.max()) == (-1, 1)
    assert (image == image[:, :1]).all()
    assert digits.label(0).shape == (0,)


def test_the_two_splits_are_disjoint_and_together_all_1797_scans() -> None:
    train, held_out = (
        {
            digits.image(i).numpy().tobytes()
            for digits in [DigitsDataset(split, channels=1)]
            for i in range(len(digits))
        }
        for split in ("train", "held-out")
    )
    assert not train & held_out
    assert len(train | held_out) == 1797


def test_every_sixth_digit_is_held_out_with_its_label() -> None:
    scans, labels = load_digits(return_X_y=True)
    places = {
        "held-out": np.arange(5, 1797, 6),
        "train": np.delete(np.arange(1797), slice(5, None, 6)),
    }
    for split, where in places.items():
        digits = DigitsDataset(split, channels=1, labels=True)
        rows = torch.stack([digits.label(i) for i in range(len(digits))])
        assert digits.c_dim == 10
        np.testing.assert_array_equal(rows.numpy(), np.eye(10)[labels[where]])
        # Enlarging keeps the mean: compared on the pictures' inner 28x28 pixels.
        ink = np.array([(digits.image(i)[0, 2:30, 2:30].mean() + 1) / 2 for i in range(50)])
        np.testing.assert_allclose(ink, scans[where[:50]].mean(axis=1) / 16, atol=0.02)


def test_one_of_each_digit_is_the_first_of_its_class() -> None:
    pictures = one_of_each("held-out")
    labels = load_digits().target[5::6]
    digits = DigitsDataset("held-out", channels=1)
    assert pictures.shape == (10, 32, 32)
    for digit, picture in enumerate(pictures):
        first = digits.image(int(np.argmax(labels == digit)))[0]
        np.testing.assert_allclose(first.numpy(), picture / 127.5 - 1, atol=1e-6)


# Pictures from a folder or a zip.


@both_kinds
def test_pictures_are_in_sorted_order_at_the_size_of_the_first(tmp_path: Path, make: Maker) -> None:
    dataset = PictureDataset(make(tmp_path, picture_files()))
    assert (len(dataset), dataset.resolution, dataset.channels, dataset.c_dim) == (4, 8, 3, 0)
    for i, name in enumerate(NAMES):
        np.testing.assert_allclose(dataset.image(i).numpy(), expected_image(name), atol=1e-6)
        assert dataset.label(i).shape == (0,)


def test_a_folder_and_its_zip_are_the_same_set(tmp_path: Path) -> None:
    files = picture_files(CLASSES)
    folder = PictureDataset(as_folder(tmp_path, files), labels=True)
    archive = PictureDataset(as_zip(tmp_path, files), labels=True)
    assert len(folder) == len(archive) == 4
    for i in range(4):
        assert torch.equal(folder.image(i), archive.image(i))
        assert torch.equal(folder.label(i), archive.label(i))


@both_kinds
def test_hidden_and_other_files_are_ignored(tmp_path: Path, make: Maker) -> None:
    others = {
        ".hidden.png": b"not a picture",
        ".thumbnails/a.png": encoded("small.png", 4, 4),
        "__MACOSX/b/._c.png": b"\0\5\x16\7 what macOS keeps beside a file in a zip",
        "Thumbs.db": b"what Windows keeps in a folder",
        "readme.txt": b"text",
    }
    dataset = PictureDataset(make(tmp_path, picture_files() | others))
    assert len(dataset) == len(NAMES)
    np.testing.assert_allclose(dataset.image(0).numpy(), expected_image(NAMES[0]), atol=1e-6)


@both_kinds
def test_what_is_left_out_is_counted(tmp_path: Path, make: Maker) -> None:
    others = {"readme.txt": b"text", "b/notes.md": b"text", ".hidden": b"", "dataset.json": b"{}"}
    assert PictureDataset(make(tmp_path, picture_files() | others)).left_out == 2


@both_kinds
def test_jpegs_go_by_all_their_suffixes(tmp_path: Path, make: Maker) -> None:
    file = io.BytesIO()
    Image.fromarray(pixels_of("a")).save(file, format="JPEG")
    names = ["a.jpg", "b.JPEG", "c.jfif", "d.jpe"]
    dataset = PictureDataset(make(tmp_path, dict.fromkeys(names, file.getvalue())))
    assert len(dataset) == 4
    assert dataset.left_out == 0


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, picture_files())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "f.png").write_bytes(encoded("f.png"))
    for name in ("linked", "linked-again"):
        (folder / name).symlink_to(elsewhere, target_is_directory=True)
    (folder / "b" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    dataset = PictureDataset(folder)
    assert len(dataset) == len(NAMES) + 1
    assert dataset.left_out == 1


@both_kinds
def test_headers_show_what_cannot_be_used(tmp_path: Path, make: Maker) -> None:
    files = picture_files() | {
        "b/x.png": b"no picture", "f.png": encoded("f.png", 1, 1),
        "g.png": encoded("g.png")[:-20],  # which its header does not show
    }  # fmt: skip
    dataset = PictureDataset(make(tmp_path, files))
    found = [str(error) for error in dataset.problems()]
    assert [line.split(": ")[0].rsplit("/", 1)[1] for line in found] == ["x.png", "f.png"]
    assert "would be enlarged 8.0 times" in found[1]
    assert list(dataset.problems(1)) == []


@both_kinds
def test_a_given_resolution_crops_and_resizes(tmp_path: Path, make: Maker) -> None:
    files = {"a.png": encoded("a.png", 12, 8), "b.png": encoded("b.png", 16, 24)}
    dataset = PictureDataset(make(tmp_path, files), resolution=8)
    middle = pixels_of("a.png", 12, 8)[:, 2:10].transpose(2, 0, 1) / 127.5 - 1
    np.testing.assert_allclose(dataset.image(0).numpy(), middle, atol=1e-6)
    assert dataset.image(1).shape == (3, 8, 8)


def test_pictures_may_be_read_as_grey(tmp_path: Path) -> None:
    dataset = PictureDataset(as_folder(tmp_path, picture_files()), channels=1)
    luma = pixels_of(NAMES[0]) @ np.array([0.299, 0.587, 0.114])
    assert dataset.image(0).shape == (1, 8, 8)
    np.testing.assert_allclose((dataset.image(0)[0].numpy() + 1) * 127.5, luma, atol=0.51)


@pytest.mark.parametrize(("width", "height"), [(12, 12), (16, 8), (2, 2)])
def test_a_first_picture_that_no_network_has_the_size_of_asks_for_a_resolution(
    tmp_path: Path, width: int, height: int
) -> None:
    folder = as_folder(tmp_path, {"a.png": encoded("a.png", width, height)})
    with pytest.raises(DataError, match=f"first picture is {width}x{height}.*give `resolution`"):
        PictureDataset(folder)


@both_kinds
@pytest.mark.parametrize("files", [{}, {"readme.txt": b"text"}], ids=["empty", "no picture"])
def test_a_set_without_pictures_is_refused(
    tmp_path: Path, make: Maker, files: dict[str, bytes]
) -> None:
    with pytest.raises(DataError, match=r"no pictures found \(looked for \.png"):
        PictureDataset(make(tmp_path, files))


@pytest.mark.parametrize("kept", [0, 1, 0.5, 0.99])
def test_a_corrupt_zip_is_refused(tmp_path: Path, kept: float) -> None:
    path = as_zip(tmp_path, picture_files())
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else 1])
    with pytest.raises(DataError, match="neither a folder nor a readable zip"):
        PictureDataset(path)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    path.write_bytes(b"no zip " * 100)
    with pytest.raises(DataError, match="neither a folder nor a readable zip"):
        PictureDataset(path)


@pytest.mark.parametrize("place", [0, 1, 20], ids=["block type", "length", "content"])
def test_a_damaged_picture_inside_a_zip_is_named(tmp_path: Path, place: int) -> None:
    path = as_zip(tmp_path, {"a.png": encoded("a.png", 64, 64)})
    content = bytearray(path.read_bytes())
    content[30 + len("a.png") + place] ^= 0xFF  # within the compressed bytes of the only file
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"pictures\.zip/a\.png: cannot be read"):
        PictureDataset(path, resolution=64).image(0)


@both_kinds
def test_a_picture_that_cannot_be_decoded_is_named_when_it_is_reached(
    tmp_path: Path, make: Maker
) -> None:
    files = picture_files()
    files["b/d.bmp"] = files["b/d.bmp"][:-20]
    dataset = PictureDataset(make(tmp_path, files))
    assert dataset.image(1).shape == (3, 8, 8)
    with pytest.raises(ImageError, match=r"b/d\.bmp: the picture cannot be read"):
        dataset.image(2)


def test_a_picture_that_has_gone_is_named(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, picture_files())
    dataset = PictureDataset(folder)
    (folder / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: cannot be read"):
        dataset.image(0)


# Labels.


def test_a_mistake_of_ours_while_labels_are_read_is_not_told_as_wrong_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> bytes:
        raise KeyError("of ours")

    monkeypatch.setattr(PictureFiles, "bytes_of", mistaken)
    with pytest.raises(KeyError, match="of ours"):
        PictureDataset(as_folder(tmp_path, picture_files(CLASSES)), 16, labels=True)


@both_kinds
def test_class_numbers_become_one_hot_labels(tmp_path: Path, make: Maker) -> None:
    dataset = PictureDataset(make(tmp_path, picture_files(CLASSES)), labels=True)
    assert dataset.c_dim == 3
    assert [dataset.label(i).argmax().item() for i in range(4)] == [0, 1, 0, 2]
    assert {tuple(sorted(dataset.label(i).tolist())) for i in range(4)} == {(0.0, 0.0, 1.0)}


@both_kinds
@pytest.mark.parametrize("written", [float, str, lambda label: f"{label}.0"])
def test_classes_may_be_written_as_ada_casts_them(
    tmp_path: Path, make: Maker, written: Callable[[int], Any]
) -> None:
    labels = [[name, written(label)] for name, label in CLASSES]
    dataset = PictureDataset(make(tmp_path, picture_files(labels)), labels=True)
    assert [dataset.label(i).argmax().item() for i in range(4)] == [0, 1, 0, 2]


def test_so_may_vectors(tmp_path: Path) -> None:
    labels = [[name, ["0.5", "2"]] for name in NAMES]
    dataset = PictureDataset(as_folder(tmp_path, picture_files(labels)), labels=True)
    assert dataset.label(0).tolist() == [0.5, 2]


@both_kinds
def test_labels_may_be_one_folder_down(tmp_path: Path, make: Maker) -> None:
    files = {f"set/{name}": content for name, content in picture_files(CLASSES).items()}
    dataset = PictureDataset(make(tmp_path, files), labels=True)
    assert [dataset.label(i).argmax().item() for i in range(4)] == [0, 1, 0, 2]


@both_kinds
def test_names_there_may_be_those_of_the_whole_set(tmp_path: Path, make: Maker) -> None:
    labels = [[f"set/{name}", label] for name, label in CLASSES]
    files = {f"set/{name}": content for name, content in picture_files(labels).items()}
    dataset = PictureDataset(make(tmp_path, files), labels=True)
    assert [dataset.label(i).argmax().item() for i in range(4)] == [0, 1, 0, 2]


def test_labels_may_be_a_dict(tmp_path: Path) -> None:
    content = json.dumps({"labels": dict(CLASSES)}).encode()
    dataset = PictureDataset(
        as_folder(tmp_path, picture_files() | {"dataset.json": content}), labels=True
    )
    assert [dataset.label(i).argmax().item() for i in range(4)] == [0, 1, 0, 2]


def test_of_two_files_of_labels_the_one_at_the_top_counts(tmp_path: Path) -> None:
    files = picture_files(CLASSES) | {"b/dataset.json": b"damaged"}
    assert PictureDataset(as_folder(tmp_path, files), labels=True).c_dim == 3


def test_two_one_folder_down_are_refused(tmp_path: Path) -> None:
    files = picture_files() | {"b/dataset.json": b"{}", "c/dataset.json": b"{}"}
    with pytest.raises(DataError, match=r"b/dataset\.json and c/dataset\.json are both there"):
        PictureDataset(as_folder(tmp_path, files), labels=True)


def test_two_labels_for_one_picture_are_refused(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, picture_files([*CLASSES, ["a.png", 2]]))
    with pytest.raises(DataError, match=r"two labels for one picture, 'a\.png'"):
        PictureDataset(folder, labels=True)


def test_the_same_label_twice_is_one(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, picture_files([*CLASSES, ["a.png", 0]]))
    assert PictureDataset(folder, labels=True).c_dim == 3


def test_vector_labels_stay_as_they_are(tmp_path: Path) -> None:
    labels = [["e.webp", [0.5, -1]], ["a.png", [1, 2]], ["b/d.bmp", [0, 0]], ["b/c.PNG", [3, 4]]]
    dataset = PictureDataset(as_folder(tmp_path, picture_files(labels)), labels=True)
    assert dataset.c_dim == 2
    assert [dataset.label(i).tolist() for i in range(4)] == [[1, 2], [3, 4], [0, 0], [0.5, -1]]
    assert dataset.label(0).dtype == torch.float32


def test_labels_may_name_pictures_with_backslashes(tmp_path: Path) -> None:
    labels = [[name.replace("/", "\\"), label] for name, label in CLASSES]
    dataset = PictureDataset(as_folder(tmp_path, picture_files(labels)), labels=True)
    assert dataset.label(1).tolist() == [0, 1, 0]


def test_labels_are_left_alone_unless_asked_for(tmp_path: Path) -> None:
    files = picture_files() | {"dataset.json": b"damaged"}
    assert PictureDataset(as_folder(tmp_path, files)).c_dim == 0


@both_kinds
def test_labels_without_a_dataset_json_are_refused(tmp_path: Path, make: Maker) -> None:
    with pytest.raises(DataError, match=r"labels were asked for, but it has no dataset\.json"):
        PictureDataset(make(tmp_path, picture_files()), labels=True)


def test_a_picture_without_a_label_is_named(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, picture_files([["a.png", 0], ["e.webp", 1]]))
    with pytest.raises(DataError, match=r"no label for 2 pictures, first b/c\.PNG"):
        PictureDataset(folder, labels=True)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe", b"[]", b"{}", b'{"labels": null}', b'{"labels": [["a.png"]]}',
        b"[" * 100_000,
    ],
    ids=["empty", "not text", "list", "no labels", "null", "no pair", "nested"],
)  # fmt: skip
def test_a_malformed_dataset_json_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = as_folder(tmp_path, {"a.png": encoded("a.png"), "dataset.json": content})
    with pytest.raises(DataError, match=r"dataset\.json: expected \{'labels'"):
        PictureDataset(folder, labels=True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("-1", "0"), ("0.5", "1.5"), ("null", "0"), ("0", "[0]"), ("[0]", "[0, 1]"), ("{}", "{}"),
        ('"one"', '"two"'), ("[NaN]", "[0]"), ("[1" + "0" * 400 + "]", "[0]"),
        ("1000000000000", "0"), ("[]", "[]"), ("NaN", "0"),
    ],
    ids=[
        "negative", "fraction", "null", "mixed", "lengths", "object", "text", "NaN",
        "over float", "over memory", "no length", "NaN alone",
    ],
)  # fmt: skip
def test_labels_that_are_neither_classes_nor_vectors_are_refused(
    tmp_path: Path, first: str, second: str
) -> None:
    labels = f'{{"labels": [["a.png", {first}], ["b.png", {second}]]}}'.encode()
    files = {name: encoded(name) for name in ("a.png", "b.png")} | {"dataset.json": labels}
    with pytest.raises(DataError, match=r"dataset\.json: labels must be"):
        PictureDataset(as_folder(tmp_path, files), labels=True)


# Opening by name.


def test_open_dataset_finds_digits_folders_and_zips(tmp_path: Path) -> None:
    files = picture_files(CLASSES)
    assert len(open_dataset("builtin:digits", 32, channels=1, labels=True)) == 1498
    for path in (as_folder(tmp_path, files), as_zip(tmp_path, files)):
        dataset = open_dataset(str(path), resolution=4, channels=1, labels=True)
        assert (dataset.resolution, dataset.channels, dataset.c_dim) == (4, 1, 3)


def test_open_dataset_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or zip"):
        open_dataset(str(tmp_path / "nowhere"))
    with pytest.raises(
        DataError, match="has pictures of 32x32, not of 64x64; leave `resolution` out"
    ):
        open_dataset("builtin:digits", resolution=64)


# The order of training.


class NumberedPictures:
    """Ten pictures whose left column is their number and whose right column is its negative."""

    resolution, channels, c_dim = 2, 1, 1

    def __len__(self) -> int:
        return 10

    def image(self, index: int) -> Tensor:
        return torch.tensor([[index + 1.0, -index - 1.0]] * 2).unsqueeze(0)

    def label(self, index: int) -> Tensor:
        return torch.tensor([index + 1.0])


def sampler(seed: int = 0, mirror: bool = False) -> RealSampler:
    return RealSampler(NumberedPictures(), seed, mirror)


def numbers(pictures: Tensor) -> list[int]:
    return [int(number) for number in pictures[:, 0, 0, 0].abs()]


def flipped(pictures: Tensor) -> Tensor:
    return pictures[:, 0, 0, 0] < 0


@pytest.mark.parametrize("mirror", [False, True])
def test_every_picture_is_shown_once_a_pass_in_a_new_order(mirror: bool) -> None:
    pictures, _ = sampler(mirror=mirror).batch(0, 40)
    passes = [numbers(pictures)[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(order) == list(range(1, 11)) for order in passes)
    assert len({tuple(order) for order in passes}) == 4


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 10, 23])
def test_batches_of_any_size_agree(size: int, mirror: bool) -> None:
    expected, labels = sampler(mirror=mirror).batch(0, 46)
    reals = sampler(mirror=mirror)
    batches = [reals.batch(start, min(size, 46 - start)) for start in range(0, 46, size)]
    assert torch.equal(torch.cat([pictures for pictures, _ in batches]), expected)
    assert torch.equal(torch.cat([label for _, label in batches]), labels)


def test_a_position_decides_its_picture_whatever_was_asked_before() -> None:
    expected, _ = sampler(mirror=True).batch(0, 60)
    reals = sampler(mirror=True)
    for start in (55, 3, 28, 3, 0, 40):
        assert torch.equal(reals.batch(start, 5)[0], expected[start : start + 5])


def test_labels_belong_to_their_pictures() -> None:
    pictures, labels = sampler(mirror=True).batch(0, 30)
    assert labels.shape == (30, 1)
    assert labels[:, 0].tolist() == numbers(pictures)


def test_another_seed_gives_another_order() -> None:
    orders = {tuple(numbers(sampler(seed).batch(0, 10)[0])) for seed in range(5)}
    assert len(orders) == 5


def test_mirroring_turns_about_half_left_to_right_and_keeps_the_order() -> None:
    plain, _ = sampler(mirror=False).batch(0, 2000)
    mirrored, _ = sampler(mirror=True).batch(0, 2000)
    turned = flipped(mirrored)
    assert not flipped(plain).any()
    # 1000 are expected, with a standard deviation of 22.
    assert 900 < turned.sum() < 1100
    assert torch.equal(mirrored[~turned], plain[~turned])
    assert torch.equal(mirrored[turned], plain[turned].flip(-1))


def test_mirroring_is_keyed_by_position_not_by_picture() -> None:
    pictures, _ = sampler(mirror=True).batch(0, 200)
    seen: dict[int, set[bool]] = {}
    for number, turn in zip(numbers(pictures), flipped(pictures).tolist(), strict=True):
        seen.setdefault(number, set()).add(turn)
    assert all(turns == {False, True} for turns in seen.values())


def test_sampling_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    sampler(mirror=True).batch(0, 20)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
