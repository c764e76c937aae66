import os

import numpy as np
import pytest

from cli.measuring.partial import PartialResults, keep_small, pack

IDENTITY = {"metric": "ppl", "seed": 0}


def batch(start, stop, seconds=1.0):
    return {
        "x": np.arange(start, stop, dtype=np.float32),
        "seconds": np.full(stop - start, seconds),
    }


def same(a, b):
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k]) for k in a
    )


def test_batches_come_back_as_they_were_written(tmp_path):
    kept = PartialResults(tmp_path, IDENTITY)
    for start in (0, 4, 8):
        kept[range(start, start + 4)] = batch(start, start + 4)
    kept.write()
    again = PartialResults(tmp_path, IDENTITY)
    assert set(again) == {range(0, 4), range(4, 8), range(8, 12)}
    assert all(same(again[part], kept[part]) for part in kept)


def test_another_measurement_has_a_place_of_its_own(tmp_path):
    kept = PartialResults(tmp_path, IDENTITY)
    kept[range(4)] = batch(0, 4)
    kept.write()
    assert len(PartialResults(tmp_path, {**IDENTITY, "seed": 1})) == 0
    assert len(PartialResults(tmp_path, dict(reversed(IDENTITY.items())))) == 1


def test_a_damaged_file_costs_its_batches_and_no_more(tmp_path, capsys):
    kept = PartialResults(tmp_path, IDENTITY)
    for start in (0, 4):
        kept[range(start, start + 4)] = batch(start, start + 4)
        kept.write()
    first, _ = sorted(kept.folder.iterdir())
    first.write_bytes(first.read_bytes()[:-40])
    again = PartialResults(tmp_path, IDENTITY)
    assert set(again) == {range(4, 8)}
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage", ["cut", "deflated", "array", "flat", "words", "text", "pipe", "folder"]
)
def test_j05_a_damaged_file_is_set_aside_and_named_once(damage, tmp_path, capsys):
    kept = PartialResults(tmp_path, IDENTITY)
    kept[range(4)] = batch(0, 4)
    kept.write()
    (file,) = kept.folder.iterdir()
    content = file.read_bytes()
    file.unlink()
    if damage == "deflated":  # what others write may unpack to any size
        np.savez_compressed(file, **pack(dict(kept)))
    elif damage in ("flat", "words"):  # arrays of another kind than they were
        arrays = pack(dict(kept))
        name, value = {
            "flat": ("0/samples", np.array([0, 4])), "words": ("0/0/counts", np.array(["4"])),
        }[damage]  # fmt: skip
        np.savez(file, **{**arrays, name: value})
    elif damage == "array":
        with file.open("wb") as stream:
            np.save(stream, np.zeros(3))
    elif damage == "pipe":
        os.mkfifo(file)
    elif damage == "folder":
        file.mkdir()
    else:
        file.write_bytes(content[:-40] if damage == "cut" else b"none")
    for _ in range(2):
        again = PartialResults(tmp_path, IDENTITY)
        assert len(again) == 0
    said = capsys.readouterr().err
    assert said.count("is damaged and left out") == 1
    (aside,) = (tmp_path / "saved").iterdir()
    assert aside.name == f"{file.name}.damaged"
    again[range(4)] = batch(0, 4)
    again.write()
    keep_small(tmp_path, afresh=False)
    assert aside.exists()
    assert same(PartialResults(tmp_path, IDENTITY)[range(4)], kept[range(4)])


def test_one_wrong_bit_of_a_file_costs_no_more_either(tmp_path, capsys):
    # Some are another way of compression, or an encrypted member: errors of other kinds.
    kept = PartialResults(tmp_path, IDENTITY)
    kept[range(4)] = batch(0, 4)
    kept.write()
    (file,) = kept.folder.iterdir()
    content = file.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert len(PartialResults(tmp_path, IDENTITY)) <= 1
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize("name", [".tmp-0123.npz", "notes.txt"])
def test_j02_files_left_by_a_kill_are_passed_over(tmp_path, name, capsys):
    kept = PartialResults(tmp_path, IDENTITY)
    kept[range(4)] = batch(0, 4)
    kept.write()
    (kept.folder / name).write_bytes(b"half")
    assert len(PartialResults(tmp_path, IDENTITY)) == 1
    capsys.readouterr()


def test_batches_are_written_as_time_passes(tmp_path, monkeypatch):
    kept = PartialResults(tmp_path, IDENTITY)
    kept[range(4)] = batch(0, 4)
    assert not kept.folder.exists()
    monkeypatch.setattr("cli.measuring.partial._PAUSE", 0.0)
    kept[range(4, 8)] = batch(4, 8)
    assert len(list(kept.folder.iterdir())) == 1
    kept.write()  # nothing is left to write
    assert len(list(kept.folder.iterdir())) == 1


def measured(folder, identity, *starts):
    kept = PartialResults(folder, identity)
    for start in starts:
        kept[range(start, start + 4)] = batch(start, start + 4)
        kept.write()
    return kept


def test_finished_measurements_are_put_together_in_a_file_each(tmp_path, capsys):
    several = [measured(tmp_path, {**IDENTITY, "seed": seed}, 0, 4) for seed in (0, 1)]
    (tmp_path / "report.csv").write_text("kept\n")
    keep_small(tmp_path, afresh=False)
    assert sorted(os.listdir(tmp_path)) == ["report.csv", "saved"]
    assert len(list((tmp_path / "saved").iterdir())) == 2
    for seed, kept in enumerate(several):
        again = PartialResults(tmp_path, {**IDENTITY, "seed": seed})
        assert set(again) == set(kept)
        assert all(same(again[part], kept[part]) for part in kept)
        assert not again.stopped
    assert capsys.readouterr().err == ""


def test_later_batches_are_put_beside_those_of_a_finished_measurement(tmp_path):
    measured(tmp_path, IDENTITY, 0)
    keep_small(tmp_path, afresh=False)
    later = measured(tmp_path, IDENTITY, 4)
    assert PartialResults(tmp_path, IDENTITY).stopped
    keep_small(tmp_path, afresh=False)
    again = PartialResults(tmp_path, IDENTITY)
    assert set(again) == set(later) == {range(4), range(4, 8)}


def test_a_measurement_made_afresh_drops_what_was_kept(tmp_path):
    measured(tmp_path, {**IDENTITY, "seed": 1}, 0)
    measured(tmp_path, IDENTITY, 0)
    keep_small(tmp_path, afresh=False)
    assert len(PartialResults(tmp_path, IDENTITY, afresh=True)) == 0
    kept = PartialResults(tmp_path, IDENTITY, afresh=True)
    kept[range(8, 12)] = batch(8, 12)
    kept.write()
    keep_small(tmp_path, afresh=True)
    assert set(PartialResults(tmp_path, IDENTITY)) == {range(8, 12)}
    assert len(list((tmp_path / "saved").iterdir())) == 1


def test_what_is_large_is_not_kept_and_this_is_said(tmp_path, monkeypatch, capsys):
    measured(tmp_path, IDENTITY, 0)
    monkeypatch.setattr("cli.measuring.partial.MOST_KEPT", 10)
    keep_small(tmp_path, afresh=False)
    assert len(PartialResults(tmp_path, IDENTITY)) == 0
    assert not list(tmp_path.rglob("*.npz"))
    assert "not kept" in capsys.readouterr().err


def test_one_wrong_bit_of_what_is_kept_costs_its_batches_at_most(tmp_path, capsys):
    kept = measured(tmp_path, IDENTITY, 0, 4)
    keep_small(tmp_path, afresh=False)
    (file,) = (tmp_path / "saved").iterdir()
    content = file.read_bytes()
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        again = PartialResults(tmp_path, IDENTITY)
        assert all(same(again[part], kept[part]) for part in again if part in kept)
    assert "damaged" in capsys.readouterr().err
