"""Files of torch.save that are damaged, cut or oversized: one named error, in little memory."""

import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, TruncatedCheckpoint, UnsafeCheckpoint, UnsupportedCheckpoint
from latentlab.checkpoints.pickles import stored_zip
from tests.conftest import scarce_memory
from tests.support import attacks, foreign
from tests.support.attacks import archive, archived, finish, plain, stored, streamed


@pytest.fixture(params=["zip", "stream"])
def sound(request, tmp_path):
    """A sound file of about 80 KB."""
    path = tmp_path / "sound.pt"
    found = {"g_ema": foreign.rosinality_g(), "d": foreign.rosinality_d()}
    found |= {"latent_avg": torch.zeros(5)}
    torch.save(found, path, _use_new_zipfile_serialization=request.param == "zip")
    assert latentlab.load(path).discriminator is not None
    return path


# D2, D3, D13 and D14 are the rows of the project's list of damage.


def test_d02_every_truncation_is_refused(sound, tmp_path):
    content = sound.read_bytes()
    path = tmp_path / "cut.pt"
    for length in {*range(16, len(content), 331), *range(len(content) - 64, len(content))}:
        path.write_bytes(content[:length])
        with pytest.raises(TruncatedCheckpoint, match=r"cut\.pt"):
            latentlab.load(path)


def test_d03_flipped_bytes_are_refused_or_leave_a_whole_model(sound, tmp_path):
    content = sound.read_bytes()
    whole = {k: {n: t.shape for n, t in net.state_dict().items()}
             for k, net in latentlab.load(sound).networks.items()}  # fmt: skip
    rng = np.random.RandomState(0)
    messages = []
    for case in range(300):
        flipped = bytearray(content)
        for place in rng.randint(0, len(content), size=1 + case % 3):
            flipped[place] ^= rng.randint(1, 256)
        (tmp_path / "flipped.pt").write_bytes(flipped)
        try:
            networks = latentlab.load(tmp_path / "flipped.pt").networks
        except CheckpointError as error:
            messages.append(str(error))
        else:
            for key, network in networks.items():
                weights = network.state_dict()
                assert {n: t.shape for n, t in weights.items()} == whole[key], case
                assert all(bool(t.isfinite().all()) for t in weights.values()), case
    assert 100 < len(messages) < 300
    assert all("flipped.pt" in message and "\n" not in message for message in messages)


# The archive.


def test_d13_a_compressed_member_is_not_unpacked(check_torch_refused):
    """64 MB of zeros in 64 KB, and then what announces as much without holding it."""
    bomb = attacks.zipped(
        {"m/data.pkl": finish(plain({"x": archived()}), 2), "m/data/0": bytes(2**26)},
        zipfile.ZIP_DEFLATED,
    )
    assert len(bomb) < 2**17
    check_torch_refused(bomb, UnsafeCheckpoint, "compressed")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        check_torch_refused(
            attacks.zipped({"m/data.pkl": b"N."}, method), UnsafeCheckpoint, "compressed"
        )


def patched(content, mark, field, value, width=2):
    """Change a field of every record that starts with ``mark``."""
    changed, at = bytearray(content), content.find(mark)
    while at >= 0:
        changed[at + field : at + field + width] = value.to_bytes(width, "little")
        at = content.find(mark, at + 4)
    return bytes(changed)


LOCAL, ENTRY, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("mark", "field", "value", "width", "words"),
    [
        (ENTRY, 8, 1, 2, "encrypted"), (ENTRY, 8, 0x20, 2, "flags"), (ENTRY, 8, 0x40, 2, "flags"),
        (LOCAL, 6, 1, 2, "announces"), (LOCAL, 8, 8, 2, "announces"), (ENTRY, 10, 8, 2, "compr"),
        (ENTRY, 20, 1, 4, "compressed"), (ENTRY, 24, 2**32 - 1, 4, "compressed"),
        (LOCAL, 18, 1, 4, "another size"), (LOCAL, 22, 2**31, 4, "another size"),
        (LOCAL, 14, 7, 4, "another size or checksum"), (ENTRY, 16, 7, 4, "checksum"),
        (ENTRY, 42, 2**31, 4, "zip member"), (ENTRY, 42, 1, 4, "zip member"),
        (ENTRY, 32, 3, 2, "directory"), (ENTRY, 28, 2**16 - 1, 2, "directory"),
        (ENTRY, 30, 60, 2, "directory"), (LOCAL, 26, 2**16 - 1, 2, "name"),
        (LOCAL, 28, 2**16 - 1, 2, "does not end where"), (END, 10, 3, 2, "parts"),
        (END, 4, 1, 2, "parts"), (END, 12, 1, 4, "directory"), (END, 16, 1, 4, "directory"),
        (END, 16, 2**32 - 1, 4, "directory"), (END, 20, 1, 2, "end"),
    ],
)  # fmt: skip
def test_d13_records_that_disagree(mark, field, value, width, words, check_torch_refused):
    check_torch_refused(patched(archive(), mark, field, value, width), CheckpointError, words)


def test_d13_a_count_of_members_that_is_not_theirs(check_torch_refused):
    changed = patched(patched(archive(), END, 8, 3), END, 10, 3)
    check_torch_refused(changed, CheckpointError, "directory of 3 holds 4")


def test_d13_a_member_that_is_there_twice(check_torch_refused):
    pairs = [("m/data.pkl", finish(plain({}), 2)), ("m/data/0", b"1"), ("m/data/0", b"2")]
    check_torch_refused(attacks.zipped(pairs), UnsafeCheckpoint, "m/data/0", "twice")
    twice = [("m/data.pkl", finish(plain({}), 2)), ("m/data.pkl", finish(plain({"g": 1}), 2))]
    check_torch_refused(attacks.zipped(twice), UnsafeCheckpoint, "data.pkl", "twice")


@pytest.mark.parametrize("part", ["data.pkl", "data/0", "version"])
def test_d13_a_wrong_checksum(part, check_torch_refused):
    content = bytearray(archive())
    at = content.index(f"model/{part}".encode()) + len(f"model/{part}")
    content[at] ^= 1
    check_torch_refused(bytes(content), CheckpointError, part, "CRC-32")


def test_d13_a_flipped_weight_is_noticed(shared, tmp_path, check_torch_refused):
    content = bytearray((shared / "yuuho2_32.pth").read_bytes())
    content[len(content) // 2] ^= 1
    check_torch_refused(bytes(content), CheckpointError, "CRC-32")


def test_d13_no_pickle_inside(check_torch_refused):
    check_torch_refused(archive(data__pkl=None), UnsupportedCheckpoint, "no data.pkl")
    check_torch_refused(attacks.zipped({"data.pkl": b"N."}), UnsupportedCheckpoint, "no data.pkl")
    check_torch_refused(
        attacks.zipped({"a/b/data.pkl": b"N."}), UnsupportedCheckpoint, "no data.pkl"
    )
    document = attacks.zipped({"word/document.xml": b"x" * 999}, zipfile.ZIP_DEFLATED)
    check_torch_refused(document, UnsupportedCheckpoint, "not of torch.save")
    arrays = io.BytesIO()
    np.savez_compressed(arrays, w=np.zeros(3))
    check_torch_refused(arrays.getvalue(), UnsupportedCheckpoint, "not of torch.save")


def test_d13_a_directory_that_is_cut(check_torch_refused):
    content = archive()
    at = content.index(ENTRY)
    check_torch_refused(content[:at], TruncatedCheckpoint, "without its end")
    check_torch_refused(content[:at] + content[-22:], CheckpointError, "does not end where")
    check_torch_refused(content[: at + 46] + content[-22:], CheckpointError, "does not end where")


def test_d13_names_that_differ(check_torch_refused):
    content = archive().replace(b"model/data/0", b"model/data/1", 1)
    check_torch_refused(content, UnsafeCheckpoint, "another name")


@pytest.mark.parametrize(
    "called",
    ["/m/data.pkl", "m/../data.pkl", "../m/data.pkl", "m//data.pkl", "m/./x", "m\\x", "m/"],
)
def test_d13_names_outside_the_archive(called, check_torch_refused):
    check_torch_refused(
        attacks.zipped({called: b"N.", "m/data.pkl": b"N."}), UnsafeCheckpoint, "name"
    )


def test_d13_members_outside_the_folder(check_torch_refused):
    others = {"m/data.pkl": finish(plain({}), 2), "n/data.pkl": finish(plain({"g": 1}), 2)}
    check_torch_refused(attacks.zipped(others), UnsafeCheckpoint, "n/data.pkl", "outside")


def test_d13_anything_around_or_between(check_torch_refused):
    content, other = archive(), finish(plain({"x": 1}))
    check_torch_refused(content + b"\0", TruncatedCheckpoint, "after it")
    check_torch_refused(content + archive(), CheckpointError, "zip")
    check_torch_refused(LOCAL + content, CheckpointError, "zip")
    at = content.index(LOCAL, 4)
    moved = bytearray(content[:at] + other + content[at:])
    first = moved.index(ENTRY)
    for entry in range(4):  # all offsets move, so that only the gap is wrong
        place = moved.index(ENTRY, first)
        first = place + 4
        offset = struct.unpack_from("<I", moved, place + 42)[0]
        struct.pack_into("<I", moved, place + 42, offset + (len(other) if entry else 0))
    end = len(moved) - 22
    struct.pack_into(
        "<I", moved, end + 16, struct.unpack_from("<I", moved, end + 16)[0] + len(other)
    )
    check_torch_refused(bytes(moved), CheckpointError, "does not end where")
    assert zipfile.ZipFile(io.BytesIO(moved)).testzip() is None, "another reader would take it"


def test_d13_members_that_share_their_bytes(check_torch_refused):
    """Overlapping members can make much out of little."""
    content = bytearray(archive())
    first = content.index(ENTRY)
    second = content.index(ENTRY, first + 4)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    check_torch_refused(bytes(content), CheckpointError, "zip member")


def test_d13_the_wider_end_must_agree(check_torch_refused, tmp_path):
    torch.save({"x": torch.ones(3)}, tmp_path / "t")
    content = (tmp_path / "t").read_bytes()
    (tmp_path / "t").unlink()
    wide = content.index(b"PK\x06\x06")
    for at in (wide, wide + 4, wide + 16, wide + 24, wide + 32, wide + 40, wide + 48, wide + 64):
        changed = bytearray(content)
        changed[at] ^= 1
        check_torch_refused(bytes(changed), CheckpointError, "disagree")


def test_d13_more_members_than_any_network_has(tmp_path):
    entry = struct.pack("<4s6H3I5H2I", ENTRY, *[0] * 6, 0, 0, 0, 3, *[0] * 4, 0, 0) + b"a/b"
    count = stored_zip._MAX_MEMBERS + 1
    end = struct.pack("<4s4H2IH", END, 0, 0, 1, 1, len(entry) * count, 4, 0)
    (tmp_path / "x.pt").write_bytes(LOCAL + entry * count + end)
    with scarce_memory(), pytest.raises(CheckpointError, match="endless"):
        latentlab.load(tmp_path / "x.pt")


def test_d13_four_gigabytes_are_too_much(tmp_path):
    with (tmp_path / "x.pt").open("wb") as file:  # a sparse file
        file.write(LOCAL)
        file.truncate(2**32)
    with scarce_memory(), pytest.raises(UnsupportedCheckpoint, match="4 GB"):
        latentlab.load(tmp_path / "x.pt")


def test_d13_a_pickle_larger_than_any_networks(check_torch_refused):
    content = archive(data__pkl=b"\x80\x02" + bytes(2**26))
    check_torch_refused(content, CheckpointError, "a pickle of 67108866 bytes")


# Storages.


@pytest.mark.parametrize(
    "storages", [{}, {"1": attacks.THREE_FLOATS}, {"0": b""}, {"0": bytes(8)}, {"0": bytes(16)}]
)
def test_d13_storages_of_another_size_than_declared(storages, check_torch_refused):
    check_torch_refused(archive(storages=storages), CheckpointError, "storage '0' of 12 bytes has")


@pytest.mark.parametrize("count", [2**31, 2**40, 2**55])
def test_d13_storages_that_are_announced_huge(count, check_torch_refused):
    huge = archive(plain({"x": archived(size=(count,), count=count)}))
    check_torch_refused(huge, CheckpointError, "storage '0'")


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": -1}, {"offset": 4}, {"offset": 1}, {"size": (4,)}, {"stride": (2,)},
        {"stride": (-1,)}, {"size": (2**40,), "stride": (0,)}, {"size": (4, 1), "stride": (0, 1)},
        {"size": (2**62, 2**62), "stride": (0, 0)}, {"size": (1,) * 64, "stride": (1,) * 64},
        {"size": [3]}, {"size": (3.0,)}, {"stride": ()}, {"offset": None},
    ],
)  # fmt: skip
def test_d09_tensors_that_do_not_fit_their_storage(changes, check_torch_refused):
    check_torch_refused(archive(plain({"x": archived(**changes)})), CheckpointError, "tensor")


def test_d09_one_storage_read_again_and_again(check_torch_refused):
    big = {"0": attacks.THREE_FLOATS * 2**14}
    view = plain([archived(count=3 * 2**14, size=(2,), stride=(2**15,))] * 2000)
    check_torch_refused(archive(view, storages=big), CheckpointError, "larger than the whole file")


def test_d10_a_big_endian_file(check_torch_refused):
    check_torch_refused(archive(byteorder=b"big"), UnsupportedCheckpoint, "big-endian")
    check_torch_refused(archive(byteorder=b"x"), UnsupportedCheckpoint, "big-endian")
    swapped = streamed().replace(
        attacks.text("little_endian") + b"\x88", attacks.text("little_endian") + b"\x89"
    )
    check_torch_refused(swapped, CheckpointError, "little-endian")


# Other formats.


def test_d14_a_program_is_not_opened(shared, check_torch_refused, tmp_path):
    content = (shared / "vgg16_standin.pt").read_bytes()
    check_torch_refused(content, UnsupportedCheckpoint, "TorchScript", "program")
    check_torch_refused(archive(constants__pkl=b"N."), UnsupportedCheckpoint, "TorchScript")


def test_d14_a_tar_archive_is_told_as_one(check_torch_refused, tmp_path):
    archived_file = io.BytesIO()
    with tarfile.open(fileobj=archived_file, mode="w") as tar:
        for member in ("sys_info", "pickle", "storages", "tensors"):
            tar.addfile(tarfile.TarInfo(member), io.BytesIO(b""))
    (tmp_path / "old.pt").write_bytes(archived_file.getvalue())
    with pytest.raises(UnsupportedCheckpoint, match=r"old\.pt: a tar archive.*save it again"):
        latentlab.load(tmp_path / "old.pt")


@pytest.mark.parametrize("ending", ["pkl", "safetensors", "npz", "txt"])
def test_d14_the_content_decides(ending, sound, tmp_path):
    renamed = sound.rename(tmp_path / f"model.{ending}")
    assert latentlab.load(renamed).kind == "stylegan2-rosinality"


def test_a_file_opens_in_the_memory_of_its_weights(tmp_path):
    """150 MB within 256 MB: no weight is there twice."""
    found = {"g_ema": foreign.rosinality_g(w_dim=2048, layers=9), "latent_avg": torch.zeros(2048)}
    torch.save(found, tmp_path / "big.pt")
    assert (tmp_path / "big.pt").stat().st_size > 150 * 10**6
    del found
    with scarce_memory():
        g = latentlab.load(tmp_path / "big.pt").generator
    assert g.w_dim == 2048


def test_weights_that_share_memory_in_a_file_do_not_in_a_network(tmp_path):
    weights = foreign.rosinality_g()
    weights["convs.1.noise.weight"] = weights["convs.0.noise.weight"]
    torch.save({"g_ema": weights, "g": weights, "latent_avg": torch.ones(5)}, tmp_path / "x.pt")
    checkpoint = latentlab.load(tmp_path / "x.pt")
    tensors = [t for net in checkpoint.networks.values() for t in net.state_dict().values()]
    assert len({t.untyped_storage().data_ptr() for t in tensors}) == len(tensors)


def test_stored_ids_are_those_of_the_archive(check_torch_refused):
    wrong = plain({"x": archived(source=stored(key="../0"))})
    check_torch_refused(archive(wrong), CheckpointError, "no bytes")
