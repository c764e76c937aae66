"""What folders of latentlab and of other tools hold for a report."""

import csv
import json

import pytest
from PIL import Image

from cli.inversions.folders import read_folders
from cli.inversions.foreign import read_pairs, results_in
from cli.inversions.methods import digest_of, read_bytes
from cli.inversions.usable import usable
from latentlab import DataError, ImageError


def picture(path, size=(32, 32), colour="gray", mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


def projection(home, **row):
    """The files of a projection that a report looks at."""
    picture(home / "target.png")
    picture(home / "projected.png")
    source = {"path": f"photos/{home.name}.jpg", "size": 1, "modified": 1, "sha256": "0"}
    told = {"status": "ok", "seconds": 2.5, "distance_name": "lpips-vgg", "device": "cpu", **row}
    record = {"format": 1, "identity": {}, "source": source, "row": told, "files": {}}
    (home / "projection.json").write_text(json.dumps(record))


def test_projections_are_read(tmp_path):
    projection(tmp_path / "anna")
    projection(tmp_path / "ben", status="diverged", seconds=4)
    picture(tmp_path / "ben" / "mask.png")
    with (tmp_path / "report.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["picture", "status", "note"])
        rows.writerow(["photos/anna.jpg", "ok", ""])
        rows.writerow(["photos/ben.jpg", "diverged", ""])
        rows.writerow(["photos/x.jpg", "refused", "no"])
    (found,) = read_folders([tmp_path])
    anna, ben = found.pairs
    assert (anna.name, anna.seconds, anna.diverged, anna.masked) == ("anna", 2.5, False, False)
    assert (ben.name, ben.seconds, ben.diverged, ben.masked) == ("ben", 4, True, True)
    assert found.doubts == ["1 picture without projection: photos/x.jpg (refused)."]
    assert (found.kind, found.distances, found.devices) == ("project", ("lpips-vgg",), ("cpu",))


def test_a_picture_that_was_projected_alone_has_the_name_of_its_file(tmp_path):
    projection(tmp_path / "out")
    (found,) = read_folders([tmp_path / "out"])
    assert [pair.name for pair in found.pairs] == ["out"]
    record = tmp_path / "out" / "projection.json"
    record.write_text(record.read_text().replace("photos/out.jpg", "photos/carl.jpg"))
    assert read_folders([tmp_path / "out"])[0].pairs[0].name == "carl"


def test_a_damaged_record_costs_what_it_says_alone(tmp_path):
    projection(tmp_path / "anna")
    (tmp_path / "anna" / "projection.json").write_text("{")
    (tmp_path / "report.csv").write_bytes(b"\xff\xfe\x00")
    (found,) = read_folders([tmp_path])
    assert (found.pairs[0].seconds, found.doubts) == (None, [])


def tuning(folder, targets=True):
    for name in ("anna", "ben"):
        picture(folder / name / "tuned.png")
        if targets:
            picture(folder / name / "target.png")
    (folder / "tuning.safetensors").touch()
    lines = "picture,seconds,distance_name,device\nanna,3.5,builtin:digits,cpu\n"
    (folder / "report.csv").write_text(lines)
    return folder


def test_tunings_are_read(tmp_path):
    (found,) = read_folders([tuning(tmp_path)])
    assert [(p.name, p.seconds) for p in found.pairs] == [("anna", 3.5), ("ben", None)]
    assert (found.kind, found.distances) == ("tune", ("builtin:digits",))


def test_tunings_of_earlier_versions_find_their_targets_in_projections(tmp_path):
    projection(tmp_path / "w" / "anna")
    tuned = tuning(tmp_path / "tuned", targets=False)
    _, found = read_folders([tmp_path / "w", tuned])
    assert [p.target for p in found.pairs] == [tmp_path / "w" / "anna" / "target.png"]
    assert found.left_out == [f"{tuned / 'ben'}: has no target.png"]
    with pytest.raises(DataError, match="give the folder of the projections as well"):
        read_folders([tuned])


def test_a_tuning_to_a_picture_that_was_projected_alone_is_of_the_same_picture(tmp_path):
    projection(tmp_path / "anna")
    record = tmp_path / "anna" / "projection.json"
    record.write_text(record.read_text().replace("photos/anna.jpg", "photos/carl.jpg"))
    tuned = tuning(tmp_path / "tuned")
    first, second = read_folders([tmp_path / "anna", tuned])
    assert first.pairs[0].name == second.pairs[0].name == "carl"


@pytest.mark.parametrize("there", [False, True])
def test_folders_of_nothing_are_refused(tmp_path, there):
    folder = tmp_path / "none"
    if there:
        picture(folder / "anna.png")
    words = "targets" if there else "no such folder"
    with pytest.raises(DataError, match=words):
        read_folders([folder])


# Other tools.


@pytest.fixture
def photos(tmp_path):
    for name in ("anna", "ben", "carl"):
        picture(tmp_path / "photos" / f"{name}.jpg")
    return tmp_path / "photos"


@pytest.mark.parametrize(("files", "place"), [
    (["anna.png"], ""),
    (["inference_results/anna.jpg", "inference_coupled/anna.jpg", "stats.txt"],
     "inference_results"),
    (["inference_results/0/anna.jpg", "inference_results/4/anna.jpg"], "inference_results/4"),
    (["inference_results/inversion/anna.png"], "inference_results/inversion"),
    (["inversions/00001.jpg", "latents.pt"], "inversions"),
])  # fmt: skip
def test_results_of_other_tools_are_found(tmp_path, photos, files, place):
    out = tmp_path / "out"
    for name in files:
        (picture if name[-4:] in (".png", ".jpg") else touch)(out / name)
    assert results_in(out) == out / place
    found = read_pairs(photos, out)
    assert [pair.name for pair in found.pairs] == ["anna"]
    told = " ".join([*found.notes, *found.doubts])
    assert ("Results are in" in told) == bool(place)
    assert "2 targets without result: ben.jpg, carl.jpg." in told
    assert ("taken to count the targets" in told) == ("00001" in files[0])


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_results_without_target_are_left_out(tmp_path, photos):
    picture(tmp_path / "out" / "anna.png")
    picture(tmp_path / "out" / "zoe.png")
    found = read_pairs(photos, tmp_path / "out")
    assert found.left_out == [f"{tmp_path}/out/zoe.png: no target has this name"]


def test_names_that_do_not_fit_are_shown(tmp_path, photos):
    picture(tmp_path / "out" / "zoe.png")
    with pytest.raises(DataError, match=r"for example zoe.png here, and anna.jpg there"):
        read_pairs(photos, tmp_path / "out")


def test_projections_are_no_results_of_another_tool(tmp_path, photos):
    projection(tmp_path / "w" / "anna")
    with pytest.raises(DataError, match="was written by `latentlab project`"):
        read_pairs(photos, tmp_path / "w")


# Pairs that cannot be compared.


def method(tmp_path, target, result):
    picture(tmp_path / "t" / "anna.png", target)
    picture(tmp_path / "t" / "ben.png", (64, 64))
    picture(tmp_path / "r" / "anna.png", result)
    picture(tmp_path / "r" / "ben.png", (32, 32))
    return read_pairs(tmp_path / "t", tmp_path / "r")


@pytest.mark.parametrize(("target", "result"), [((64, 64), (32, 32)), ((512, 384), (257, 192))])
def test_pictures_of_one_shape_can_be_compared(tmp_path, target, result):
    (found,), side = usable([method(tmp_path, target, result)])
    assert len(found.pairs) == 2
    assert side == min(max(*target, 64), 256)


def test_a_picture_that_was_cropped_by_the_method_is_not_its_target(tmp_path):
    (found,), side = usable([method(tmp_path, (64, 48), (64, 64))])
    assert [pair.name for pair in found.pairs] == ["ben"]
    assert "64x64, but its target" in found.left_out[0]
    assert "is 64x48; give targets as the method saw them" in found.left_out[0]
    assert side == 64


def test_a_photograph_on_its_side_is_turned_first(tmp_path):
    found = method(tmp_path, (48, 64), (64, 48))
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (48, 64)).save(tmp_path / "t" / "anna.png", exif=turned)
    (found,), _ = usable([found])
    assert len(found.pairs) == 2


def test_what_is_no_picture_is_left_out(tmp_path):
    found = method(tmp_path, (64, 64), (64, 64))
    (tmp_path / "r" / "anna.png").write_bytes(b"no picture")
    (left,), _ = usable([found])
    assert [pair.name for pair in left.pairs] == ["ben"]
    assert "anna.png: not a picture" in left.left_out[0]
    (tmp_path / "r" / "ben.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="no pair can be used"):
        usable([found])


@pytest.mark.parametrize(("mode", "colour", "channels"), [
    ("RGB", "red", 3), ("L", 7, 3), ("RGBA", (1, 2, 3, 255), 3), ("RGBA", (1, 2, 3, 9), 4),
])  # fmt: skip
def test_alpha_is_kept_where_something_shows_through(tmp_path, mode, colour, channels):
    path = picture(tmp_path / "a.png", (5, 4), colour, mode)
    assert list(read_bytes(path).shape) == [channels, 4, 5]


def test_the_digest_is_of_names_and_contents(tmp_path):
    found = method(tmp_path, (64, 64), (64, 64)).pairs
    first = digest_of(found)
    assert digest_of(found) == first
    picture(tmp_path / "r" / "anna.png", (64, 64), "red")
    assert digest_of(found) != first != digest_of(found[:1])
