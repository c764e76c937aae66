"""Latents as other tools write them, and what is said of files that hold none."""

import collections
import contextlib
import pickle
import zipfile

import numpy as np
import pytest
import torch

from latentlab import LatentError
from latentlab.latent_files import arranged, read_latent_file

L, D = 8, 16
ONE = np.random.default_rng(0).standard_normal((L, D)).astype("f4")
FLAT = ONE[0]


def parts_of(path):
    found = read_latent_file(path)
    return {part.picture: part.values for part in found.parts}


def ws_in(path, several=False):
    return [arranged(part.values, L, D, several) for part in read_latent_file(path).parts]


@pytest.mark.parametrize("values", [
    ONE, ONE[None], ONE[None, None], np.stack([ONE, ONE]), np.stack([ONE, ONE])[:, None],
    np.stack([ONE, ONE])[None], ONE.ravel(), ONE.reshape(1, -1), ONE.astype("f8"),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["npy", "npz", "dlatents", "other", "pt", "legacy", "pkl"])
def test_w_plus_in_any_axes(values, kind, tmp_path):
    path = tmp_path / "file"
    if kind in ("pt", "legacy"):
        torch.save(torch.from_numpy(values.copy()), path,
                   _use_new_zipfile_serialization=kind == "pt")  # fmt: skip
    elif kind == "npy":
        with path.open("wb") as file:
            np.save(file, values)
    elif kind == "pkl":
        path.write_bytes(pickle.dumps({"w": values}, protocol=2))
    else:
        with path.open("wb") as file:
            np.savez(file, **{{"npz": "w", "other": "arr_0"}.get(kind, kind): values})
    (found,) = ws_in(path)
    np.testing.assert_array_equal(found, np.stack([ONE] * (2 if values.size > ONE.size else 1)))


@pytest.mark.parametrize("values", [FLAT, FLAT[None], FLAT[None, None], FLAT[None, None, None]])
def test_one_w_is_that_of_all_layers(values, tmp_path):
    np.save(tmp_path / "w.npy", values)
    (found,) = ws_in(tmp_path / "w.npy")
    np.testing.assert_array_equal(found, FLAT[None, None])


def test_rows_are_layers_unless_they_are_known_to_be_pictures():
    rows = np.zeros((3, D))
    assert arranged(rows, L, D) is None
    assert arranged(rows, L, D, rows_are_pictures=True).shape == (3, 1, D)
    assert arranged(rows, None, None).shape == (1, 3, D)


@pytest.mark.parametrize("shape", [
    (), (0, D), (L, D + 1), (L - 1, D), (2, L - 1, D), (2, 3, L, D), (1, 1, 1, L, D), (D + 1,),
])  # fmt: skip
def test_what_is_arranged_in_no_known_way(shape):
    assert arranged(np.zeros(shape), L, D) is None


@pytest.mark.parametrize("make", [
    lambda one: [one, one], lambda one: (one[None], one), lambda one: {"w": torch.stack([one] * 2)},
    lambda one: {"latents": torch.stack([one, one]), "step": 3},
    lambda one: {"codes": torch.stack([one, one]), "names": ["a", "b"]},
    lambda one: {0: one, 1: one[None]},
    lambda one: {"a": {"latent": one, "noise": None}, "b": {"latent": one, "img": 1}},
    lambda one: torch.stack([one, one]).numpy(),
    lambda one: torch.nn.Parameter(torch.stack([one, one])),
    lambda one: torch.stack([one, one]).double(),
])  # fmt: skip
def test_what_torch_saves_of_several(make, tmp_path):
    torch.save(make(torch.from_numpy(ONE)), tmp_path / "a.pt")
    found = np.concatenate(ws_in(tmp_path / "a.pt"))
    np.testing.assert_array_equal(found, np.stack([ONE, ONE]))


def test_names_of_pictures_are_kept(tmp_path):
    one = torch.from_numpy(ONE)
    saved = collections.OrderedDict({"a.png": one, "b/c.png": one[None] * 2})
    torch.save(saved, tmp_path / "a.pt")
    np.savez(tmp_path / "a.npz", **{"a.png": ONE, "b/c.png": ONE[None] * 2})
    for path in (tmp_path / "a.pt", tmp_path / "a.npz"):
        found = parts_of(path)
        assert list(found) == ["a.png", "b/c.png"]
        np.testing.assert_array_equal(found["b/c.png"], ONE[None] * 2)
    torch.save({"a.weight": one, "a.bias": one[0]}, tmp_path / "a.pt")
    with pytest.raises(LatentError, match=r"holds no latents, but the keys a\.weight, a\.bias"):
        parts_of(tmp_path / "a.pt")


@pytest.mark.parametrize("latent", [ONE, FLAT, ONE[None]])
def test_rosinality_s_projections_with_their_noise(latent, tmp_path):
    noise = [torch.randn(1, 1, 4, 4), torch.randn(1, 1, 8, 8)]
    one = {"img": torch.zeros(1, 3, 32, 32), "latent": torch.from_numpy(latent), "noise": noise}
    torch.save({"a.png": one, "b.png": {"latent": one["latent"]}}, tmp_path / "a.pt")
    first, second = read_latent_file(tmp_path / "a.pt").parts
    assert (first.picture, second.picture) == ("a.png", "b.png")
    assert all(map(torch.equal, first.noise, noise))
    assert second.noise == ()
    torch.save(one, tmp_path / "b.pt")
    (alone,) = read_latent_file(tmp_path / "b.pt").parts
    assert alone.picture is None
    assert len(alone.noise) == 2


NAN = torch.full((L, D), torch.nan)


@pytest.mark.parametrize(("content", "words"), [
    ({"a.png": {"latent": "x"}}, "'a.png': `latent` is not a tensor"),
    ({"a.png": {"latent": torch.ones(D), "noise": [1]}}, "'a.png': `noise` is not a list"),
    ({"a.png": {"latent": torch.ones(D), "noise": torch.ones(3)}}, "`noise` is not a list"),
    ({"a.png": {"latent": torch.ones(D), "noise": [NAN]}}, "`noise` holds NaN"),
    ({"a.png": {"latent": NAN}}, "'a.png' holds NaN or infinity"),
    (NAN, "the tensor holds NaN or infinity"),
    (torch.ones(L, D, dtype=torch.int64), "the tensor has type int64, expected floats"),
    (torch.ones(0, D), r"the tensor has shape \[0, 16\], expected floats"),
    (torch.tensor(1.0), r"has shape \[\]"),
    ({}, "holds no latents, but nothing"),
    ([], "an object of type list of 0"),
    ([1.0], "an object of type list of 1; expected a tensor, a list"),
    ("text", "an object of type str"),
    ({"g_ema": {"a": torch.ones(1)}, "latent_avg": torch.ones(D)}, "the keys g_ema, latent_avg"),
    ({"z": torch.ones(2, D)}, "holds no latents, but the keys z"),
])  # fmt: skip
def test_what_is_wrong_in_a_file_of_torch_is_said(content, words, tmp_path):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(LatentError, match=words):
        read_latent_file(tmp_path / "a.pt")


@pytest.mark.parametrize(("arrays", "words"), [
    ({"z": ONE}, "no array `w` inside, only z"),
    ({"a": ONE, "b": FLAT}, "no array `w` inside, only a, b"),
    ({"z": ONE, "y": ONE}, "no array `w` inside, only z, y"),
    ({"w": np.ones((L, D), dtype=int)}, "type int64, expected floats"),
    ({"dlatents": np.full((L, D), np.inf)}, "`dlatents` holds NaN or infinity"),
    ({}, "only nothing"),
])  # fmt: skip
def test_what_is_wrong_in_an_archive_is_said(arrays, words, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(LatentError, match=words):
        read_latent_file(tmp_path / "a.npz")


def test_a_dictionary_of_arrays_is_refused_and_the_way_out_works(tmp_path, monkeypatch):
    steps = {"a.png": [ONE * 0, ONE], "b.png": [ONE * 0, ONE * 2]}
    np.save(tmp_path / "latents.npy", steps)  # as ReStyle's script does
    with pytest.raises(LatentError, match="has type object, and pickles are never run") as caught:
        read_latent_file(tmp_path / "latents.npy")
    advice = str(caught.value).partition("save its numbers: ")[2]
    monkeypatch.chdir(tmp_path)
    exec(advice, {"numpy": np, "file": "latents.npy"})  # what a user would paste
    found = parts_of(tmp_path / "latents.npz")
    np.testing.assert_array_equal(found["b.png"], ONE * 2)


@pytest.mark.parametrize("damage", ["short", "long", "huge", "nan", "ints", "header"])
def test_a_damaged_array_is_refused_before_memory_is_taken(damage, tmp_path):
    path = tmp_path / "a.npy"
    values = {"nan": ONE * np.nan, "ints": ONE.astype(int)}.get(damage, ONE)
    np.save(path, values)
    raw = path.read_bytes()
    changed = {
        "short": raw[:-4], "long": raw + b"more", "header": raw[:20],
        "huge": raw.replace(b"(8, 16), }     ", b"(8, 160000000)}"),
    }  # fmt: skip
    path.write_bytes(changed.get(damage, raw))
    with pytest.raises(LatentError, match=r"a\.npy"):
        read_latent_file(path)


@pytest.mark.parametrize("content", [b"", b"<html>sorry</html>", b"version https://git-lfs", None])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "a.npy"
    if content is not None:
        path.write_bytes(content)
    words = "no such file" if content is None else "not a readable"
    with pytest.raises(LatentError, match=words):
        read_latent_file(path)


@pytest.mark.parametrize(("content", "words"), [
    ("<html><title>Google Drive - Virus scan warning</title></html>",
     ", but an HTML page ('Google Drive - Virus scan warning'), which a download gave in place of"),
    ("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 300\n",
     ", but a Git-LFS pointer to a file of 300 bytes, and not the file; run `git lfs install`"),
    ("name: x", "; expected .npz, .npy"),
])  # fmt: skip
def test_what_a_failed_download_left_is_named(content, words, tmp_path):
    (tmp_path / "a.pt").write_text(content)
    with pytest.raises(LatentError) as caught:
        read_latent_file(tmp_path / "a.pt")
    assert f"a.pt: not a readable file of latents{words}" in str(caught.value)


def test_a_network_is_named_by_its_class(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pt")
    with pytest.raises(LatentError, match=r"an object of type torch\.nn\.modules\.linear\.Linear;"):
        read_latent_file(tmp_path / "a.pt")


def test_a_cut_file_of_torch_is_called_one(tmp_path):
    torch.save(torch.from_numpy(ONE), tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-9])
    with pytest.raises(LatentError, match="a zip archive without its end"):
        read_latent_file(tmp_path / "a.pt")


def test_arrays_that_are_large_together(tmp_path):
    """Each would do by itself; zeros get a thousand times smaller by compression."""
    np.savez_compressed(
        tmp_path / "x.npz", a=np.zeros((9, L, D), "f4"), b=np.zeros((9, L, D), "f4")
    )
    assert len(read_latent_file(tmp_path / "x.npz", max_bytes=2 * 9 * L * D * 4).parts) == 2
    with pytest.raises(LatentError, match="together; split the file"):
        read_latent_file(tmp_path / "x.npz", max_bytes=9 * L * D * 4)


def test_code_in_a_file_is_not_run(tmp_path):
    marker = tmp_path / "marker"

    class Payload:
        def __reduce__(self):
            return (marker.touch, ())

    torch.save({"w": torch.from_numpy(ONE), "x": Payload()}, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        assert archive.namelist()
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"w": Payload()}, protocol=2))
    for name in ("a.pt", "a.pkl"):
        with contextlib.suppress(LatentError):
            read_latent_file(tmp_path / name)
        assert not marker.exists()


def test_latents_that_may_be_z_are_known_as_such(tmp_path):
    np.savez(tmp_path / "a.npz", latents=FLAT[None])
    assert read_latent_file(tmp_path / "a.npz").key == "latents"
