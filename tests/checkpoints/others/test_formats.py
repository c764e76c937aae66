"""Other kinds of file, by their bytes or their name."""

import io

import numpy as np
import pytest
from PIL import Image

import latentlab
from latentlab import TruncatedCheckpoint, UnsupportedCheckpoint
from tests.support.onnx_files import Graph


def picture(form):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, form)
    return stream.getvalue()


def array():
    stream = io.BytesIO()
    np.save(stream, np.ones((2, 18, 512), "f4"))
    return stream.getvalue()


MORE = b"\x07" * 100
FILES = {
    "PNG": (picture("PNG"), "a picture (PNG)"),
    "JPEG": (picture("JPEG"), "a picture (JPEG)"),
    "WebP": (picture("WEBP"), "a picture (WebP)"),
    "GIF": (picture("GIF"), "a picture (GIF)"),
    "TIFF": (picture("TIFF"), "a picture (TIFF)"),
    "MP4": (b"\0\0\0\x20ftypisom" + MORE, "a video"),
    "npy": (array(), "an array of numpy (.npy), and not a checkpoint; latents go to"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + MORE, "HDF5, as Keras writes it"),
    "GGUF": (b"GGUF\x03\0\0\0" + MORE, "a model in GGUF"),
    "TFLite": (b"\x1c\0\0\0TFL3" + MORE, "TensorFlow Lite"),
    "PDF": (b"%PDF-1.7\n" + MORE, "a PDF"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + MORE, "an archive (7z); unpack it"),
    "RAR": (b"Rar!\x1a\x07\x01\0" + MORE, "an archive (RAR)"),
    "Zstandard": (b"\x28\xb5\x2f\xfd" + MORE, "an archive (Zstandard)"),
    "Parquet": (b"PAR1" + MORE, "a Parquet table"),
    "LMDB": (bytes(16) + b"\xde\xc0\xef\xbe" + MORE, "an LMDB database"),
    "program": (b"\x7fELF" + MORE, "a program"),
    "zeros": (bytes(4096), "zeros only, at least at its start"),
    "index": (b"\0\x02\x01" + MORE + bytes.fromhex("57fb808b247547db"), "index (.index)"),
}


@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_other_formats_are_named(content, words, told):
    assert words in told(content, kind=UnsupportedCheckpoint)


def test_onnx(told):
    assert "ONNX" in told(b"\x08\x08\x12\x07pytorch\x1a\x05" + MORE)
    graph = Graph()
    graph.call("Identity", "input", output="output")
    assert "ONNX" in told(graph.model("input", [1, 3], ["output"]))
    assert "a model in ONNX" in told(MORE, "x.onnx")


NAMES = {
    "saved_model.pb": "a SavedModel of TensorFlow",
    "frozen.pb": "a graph of TensorFlow",
    "model.ckpt-9.data-00000-of-00001": "values (.data) of TensorFlow",
    "model.ckpt-9.meta": "graph (.meta) of TensorFlow",
    "MODEL.CKPT.INDEX": "index (.index) of TensorFlow",
    "ffhq-r10.tfrecords": "training pictures of TensorFlow",
    "events.out.tfevents.1.host": "a log of a training run",
}


@pytest.mark.parametrize(("name", "words"), NAMES.items())
def test_names_tell_where_content_does_not(name, words, told):
    assert words in told(b"\x0a\x9f\x02" + MORE, name)


def test_d01_an_empty_file(told):
    assert "an empty file (0 bytes)" in told(b"", kind=TruncatedCheckpoint)


@pytest.mark.parametrize("name", ["x.pkl.part", "x.pkl.crdownload", "Unconfirmed 1.download"])
def test_unfinished_downloads(name, sound, told):
    ending = name.rpartition(".")[2]
    hint = f"ends in .{ending} is that of a download which did not finish"
    assert hint in told(sound[: len(sound) // 2], name)
    assert hint in told(b"\x80\x04" + MORE, name)


def test_a_whole_file_opens_under_any_name(sound, tmp_path):
    for name in ("x.part", "saved_model.pb", "x.onnx", "x.npy", "x.html"):
        (tmp_path / name).write_bytes(sound)
        assert latentlab.load(tmp_path / name).kind == "stylegan2-native"
