"""Files of other kinds, told by their first bytes, their last bytes, or their name."""

import re
from pathlib import Path

from latentlab.checkpoints.others.texts import PICKLES

_LATENTS = "latents go to `latentlab generate --projected-w`"
_PICTURE = "a picture ({}), and not a checkpoint; pictures go to `latentlab project`"
_UNPACK = "an archive ({}); unpack it and give the checkpoint inside"
_TABLE = "{}, and not a checkpoint"
_MODEL = (
    "a model in {}, which is not opened; give the PyTorch or TensorFlow file that it was made of"
)
_TENSORFLOW = "{} of TensorFlow, which is not opened; " + PICKLES

# Where in a file, what stands there, and what it then is.
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", _PICTURE.format("PNG")),
    (0, b"\xff\xd8\xff", _PICTURE.format("JPEG")),
    (0, b"GIF8", _PICTURE.format("GIF")),
    (8, b"WEBP", _PICTURE.format("WebP")),
    (0, b"II*\0", _PICTURE.format("TIFF")),
    (0, b"MM\0*", _PICTURE.format("TIFF")),
    (4, b"ftyp", "a video, or a picture in HEIC, and not a checkpoint"),
    (0, b"\x1aE\xdf\xa3", "a video, and not a checkpoint"),
    (0, b"\x93NUMPY", f"an array of numpy (.npy), and not a checkpoint; {_LATENTS}"),
    (0, b"\x89HDF\r\n\x1a\n", _MODEL.format("HDF5, as Keras writes it")),
    (0, b"GGUF", _MODEL.format("GGUF")),
    (0, b"lmgg", _MODEL.format("GGML")),
    (0, b"tjgg", _MODEL.format("GGML")),
    (4, b"TFL3", _MODEL.format("TensorFlow Lite")),
    (0, b"%PDF", _TABLE.format("a PDF")),
    (0, b"7z\xbc\xaf\x27\x1c", _UNPACK.format("7z")),
    (0, b"Rar!\x1a\x07", _UNPACK.format("RAR")),
    (0, b"\x28\xb5\x2f\xfd", _UNPACK.format("Zstandard")),
    (0, b"\x04\x22\x4d\x18", _UNPACK.format("LZ4")),
    (0, b"\x1f\x9d", _UNPACK.format("compress, .Z")),
    (0, b"LZIP", _UNPACK.format("lzip")),
    (0, b"MATLAB 5.0", _TABLE.format("a MATLAB file")),
    (0, b"PAR1", _TABLE.format("a Parquet table")),
    (0, b"SQLite format 3\0", _TABLE.format("an SQLite database")),
    (16, b"\xde\xc0\xef\xbe", _TABLE.format("an LMDB database, of training pictures perhaps")),
    (0, b"\x7fELF", _TABLE.format("a program")),
    (0, b"MZ\x90", _TABLE.format("a Windows program")),
    (0, b"d8:announce", _TABLE.format("a torrent")),
)
_NAMES: tuple[tuple[str, str], ...] = (
    (r"saved_model\.pb", _TENSORFLOW.format("a SavedModel")),
    (r".*\.pb", _TENSORFLOW.format("a graph")),
    (r".*\.data-\d{5}-of-\d{5}", _TENSORFLOW.format("a checkpoint's values (.data)")),
    (r".*\.index", _TENSORFLOW.format("a checkpoint's index (.index)")),
    (r".*\.meta", _TENSORFLOW.format("a checkpoint's graph (.meta)")),
    (r".*\.tfrecords?", "training pictures of TensorFlow (TFRecord), and not a checkpoint"),
    (r"events\.out\.tfevents\..*", "a log of a training run (TensorBoard), and not a checkpoint"),
    (r".*\.onnx", _MODEL.format("ONNX")),
)
_TABLE_END = bytes.fromhex("57fb808b247547db")  # of TensorFlow's .index files
_FIELDS = b"\x12\x1a\x22\x2a\x32\x3a\x42"  # in a model of ONNX, the first after its version


def told(file: Path, start: bytes, end: bytes) -> str | None:
    """Say what a file is that is no checkpoint, if it is known.

    Args:
        file: Its name counts where content tells little.
        start: Its first bytes, 64 or more.
        end: Its last 8 bytes.
    """
    for position, mark, what in _MARKS:
        if start.startswith(mark, position):
            return what
    if end == _TABLE_END:
        return _TENSORFLOW.format("a checkpoint's index (.index)")
    for name, what in _NAMES:
        if re.fullmatch(name, file.name, re.IGNORECASE):
            return what
    if len(start) > 2 and start[0] == 8 and 1 <= start[1] <= 32 and start[2] in _FIELDS:
        return _MODEL.format("ONNX, or in another form of Protocol Buffers")
    if len(start) >= 64 and not any(start):
        return (
            "zeros only, at least at its start: space was set aside for a download that did not "
            "finish; get the file again"
        )
    return None
