"""The reader of .npz files takes any bytes: latents that are finite and fit, or a refusal."""

import io
import struct
import zipfile
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.latents import load_ws, save_ws
from tests.fuzzing.pieces import WORDS, mutated
from tests.support.attacks import zipped

G = SimpleNamespace(num_ws=2, w_dim=3)  # all that the reader asks a generator
READ = partial(load_ws, g=G)
SIZES = st.integers(0, 3) | st.integers(-(2**70), 2**70)


def member(header, data=b"", version=(1, 0)):
    """The bytes of an array: header and content, which need not agree."""
    raw = header if isinstance(header, bytes) else repr(header).encode("latin1", "replace")
    size = struct.pack("<H" if version == (1, 0) else "<I", len(raw))
    return b"\x93NUMPY" + bytes(version) + size + raw + data


def saved(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


SOUND = saved(w=np.arange(12, dtype="f4").reshape(2, 2, 3))
DESCRIBED = st.fixed_dictionaries(
    {
        "descr": st.sampled_from(["<f4", "<f8", ">f4", "<f2", "|O", "<i4", "<c8", "<V6"]) | WORDS,
        "fortran_order": st.booleans() | WORDS,
        "shape": st.just((1, 2, 3)) | st.lists(SIZES, max_size=4).map(tuple),
    },
    optional={"more": WORDS},
)


def check(content, outcome):
    found = outcome(READ, content)
    if found is not None:
        assert found.shape[1:] == (G.num_ws, G.w_dim)
        assert bool(torch.isfinite(found).all())


@given(content=st.binary(max_size=200))
def test_any_bytes(content, outcome):
    check(content, outcome)


@given(content=mutated(st.just(SOUND)))
@settings(max_examples=300)
def test_a_sound_file_with_damage(content, outcome):
    check(content, outcome)


@given(
    header=DESCRIBED | st.binary(max_size=60),
    data=st.binary(max_size=48),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
@settings(max_examples=400)
def test_any_header_of_an_array(header, data, version, method, outcome):
    check(zipped({"w.npy": member(header, data, version)}, method), outcome)


@given(ws=st.lists(st.lists(st.floats(width=32), min_size=6, max_size=6), min_size=1, max_size=3))
def test_latents_come_back(ws, tmp_path, outcome):
    expected = torch.tensor(ws).view(-1, G.num_ws, G.w_dim)
    save_ws(tmp_path / "x.npz", expected)
    found = outcome(READ, (tmp_path / "x.npz").read_bytes())
    assert (found is not None) == bool(torch.isfinite(expected).all())
    assert found is None or torch.equal(found, expected)
