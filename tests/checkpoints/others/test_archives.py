"""Archives around a checkpoint, and folders: what is inside, and how to get at it."""

import gzip
import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from tests.support import foreign


def zipped(members, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(members, form=tarfile.USTAR_FORMAT):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


KINDS = {"zip": (zipped, "unzip x.zip"), "tar": (tarred, "tar -xf x.tar")}


@pytest.mark.parametrize("kind", KINDS)
class TestMembers:
    def test_the_member_and_the_command(self, kind, told, sound):
        pack, command = KINDS[kind]
        message = told(pack({"README.txt": b"x", "run/g.pkl": sound}), f"x.{kind}")
        assert f"a {kind} archive with 'run/g.pkl' inside; extract it (`{command} " in message
        assert message.endswith("run/g.pkl`) and give that")

    def test_several(self, kind, told):
        pack, _ = KINDS[kind]
        message = told(pack({"a.pt": b"x", "b.pth": b"y", "c.pkl.gz": b"z"}), f"x.{kind}")
        assert "'a.pt' and 2 more checkpoints inside; extract one" in message

    @pytest.mark.parametrize("name", ["a b.pkl", "-rf.pkl", "x;reboot.pkl", "$(x).pkl"])
    def test_no_command_for_names_that_a_shell_would_read(self, kind, name, told):
        message = told(KINDS[kind][0]({name: b"x"}), f"x.{kind}")
        assert "inside; extract it and give that" in message

    def test_hidden_files_are_no_checkpoints(self, kind, told):
        found = {
            "__MACOSX/g.pkl": b"x",
            "._g.pkl": b"x",
            "notes": b"x",
            "b": b"",
            "c": b"",
            "d": b"",
        }
        message = told(KINDS[kind][0](found), f"x.{kind}")
        assert (
            "without a checkpoint inside: it holds '__MACOSX/g.pkl', '._g.pkl', 'notes'" in message
        )
        assert message.endswith("and 3 more")

    def test_pictures(self, kind, told):
        found = {"a.png": b"x", "b.JPG": b"x", "dataset.json": b"{}"}
        assert "archive of pictures" in told(KINDS[kind][0](found), f"x.{kind}")


def test_a_compressed_tar_is_unpacked_in_one_command(told):
    message = told(gzip.compress(tarred({"run/g.pkl": b"x"})), "x.tar.gz")
    assert "(gzip, unpacked): a tar archive with 'run/g.pkl' inside" in message
    assert "`tar -xf x.tar.gz run/g.pkl`" in message


def test_arrays_and_keras(told):
    stream = io.BytesIO()
    np.savez(stream, w=np.ones((1, 18, 512), "f4"))
    assert "arrays of numpy (.npz)" in told(stream.getvalue(), "x.npz", UnsupportedCheckpoint)
    keras = {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b"x"}
    assert "a model of Keras" in told(zipped(keras), "x.keras", UnsupportedCheckpoint)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_other_forms_of_tar(form, told):
    name = f"{'d' * 60}/{'e' * 60}/network.pkl"
    assert "network.pkl' inside" in told(tarred({name: b"x" * 600, "b": b""}, form), "x.tar")


def test_damaged_tars_are_archives_still(told):
    whole = tarred({"a.txt": b"x" * 2000, "b.pkl": b"y"})
    for content in (whole[:512], whole[:300], whole.replace(b"00003720", b"77777777")):
        assert "a tar archive" in told(content, "x.tar")
    many = tarred({f"{i}.txt": b"" for i in range(1500)})
    assert "and 997 more" in told(many, "x.tar")


def test_files_of_torch_save_are_left_to_their_reader(tmp_path, told):
    torch.save(foreign.rosinality_g(), tmp_path / "g.pt")
    assert latentlab.load(tmp_path / "g.pt").kind == "stylegan2-rosinality"
    with zipfile.ZipFile(tmp_path / "g.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert "compressed, which torch.save never does" in told(zipped(members), "x.pt")
    assert "without its end" in told(zipped({"a": b"x"})[:-3], "x.zip")


# Folders and links.


def check(path, *words):
    with pytest.raises(CheckpointError) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert [word for word in (f"{path}: ", *words) if word not in message] == [], message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "an empty folder; give a checkpoint, or a name such as builtin:"),
        (("log.txt",), "a folder without a checkpoint ('log.txt'); give"),
        (("a-1.pkl", "a-2.pkl", "a-3.pkl", "a-4.pkl", "b.txt"),
         "give one of its files: 'a-4.pkl', 'a-3.pkl', 'a-2.pkl' and 1 more"),
        (("data.pkl", "version", "byteorder"), "the parts of a file of torch.save"),
        (("saved_model.pb", "variables"), "a SavedModel of TensorFlow"),
        (("m.ckpt.index", "m.ckpt.data-00000-of-00001", "c"), "a checkpoint of TensorFlow"),
        (("new\nline.pkl",), "'new\\nline.pkl'"),
    ],
)  # fmt: skip
def test_folders_say_what_is_in_them(names, words, tmp_path):
    (tmp_path / "run").mkdir()
    for name in names:
        (tmp_path / "run" / name).touch()
    check(tmp_path / "run", words)


def test_links_that_lead_nowhere(tmp_path):
    link = tmp_path / "x.pkl"
    link.symlink_to(
        ".git/annex/objects/aa/bb/SHA256E-s381624121--4d.pkl/SHA256E-s381624121--4d.pkl"
    )
    check(
        link, "a git-annex pointer to a file of 381,624,121 bytes, which is not here", "annex get"
    )
    link.unlink()
    link.symlink_to("elsewhere.pkl")
    check(link, "a link to 'elsewhere.pkl', which does not exist")
    link.unlink()
    check(link, "no such file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pkl")
    check(tmp_path / "pipe.pkl", "is not a file")
