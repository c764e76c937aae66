"""Pickles assembled opcode by opcode: damaged, oversized and hostile ones, and their sound parts.

Nothing hostile is kept in the repository; every payload is made in the process that tests it.
"""

import io
import struct
import warnings
import zipfile


def text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def octets(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def plain(value) -> bytes:
    """Opcodes of a plain value; bytes objects are opcodes already."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool) or value is None:
        return {True: b"\x88", False: b"\x89", None: b"N"}[value]
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, tuple):
        return b"(" + b"".join(map(plain, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(plain, value)) + b"e"
    assert isinstance(value, dict)
    return b"}(" + b"".join(plain(k) + plain(v) for k, v in value.items()) + b"u"


def name(module: str, called: str) -> bytes:
    return f"c{module}\n{called}\n".encode()


def stack_name(module: str, called: str) -> bytes:
    return text(module) + text(called) + b"\x93"


def call(function: bytes, *arguments) -> bytes:
    return function + plain(arguments) + b"R"


def finish(body: bytes, protocol: int = 4) -> bytes:
    return bytes([0x80, protocol]) + body + b"."


def touch(marker, function: bytes | None = None) -> bytes:
    """Opcodes that make a file when they are run."""
    return call(function or name("posix", "system"), f"touch '{marker}'")


# The parts of genuine files.

EASYDICT = name("dnnlib.util", "EasyDict")
NETWORK = name("dnnlib.tflib.network", "Network")
MODULE = name("torch_utils.persistence", "_reconstruct_persistent_obj")
PARAMETER = name("torch._utils", "_rebuild_parameter")
TENSOR = name("torch._utils", "_rebuild_tensor_v2")
LOAD = name("torch.storage", "_load_from_bytes")
ORDERED = name("collections", "OrderedDict")
DTYPE = name("numpy", "dtype")
NDARRAY = name("numpy", "ndarray")
RECONSTRUCT = name("numpy.core.multiarray", "_reconstruct")
FROMBUFFER = name("numpy.core.numeric", "_frombuffer")
DILL_ARRAY = name("dill._dill", "_create_array")
SCALAR = name("numpy.core.multiarray", "scalar")
ALLOWED = {
    "EasyDict": EASYDICT,
    "Network": NETWORK,
    "module": MODULE,
    "parameter": PARAMETER,
    "tensor": TENSOR,
    "storage": LOAD,
    "OrderedDict": ORDERED,
    "dtype": DTYPE,
    "ndarray": NDARRAY,
    "array": RECONSTRUCT,
    "buffer": FROMBUFFER,
    "scalar": SCALAR,
    "set": name("builtins", "set"),
    "encode": name("_codecs", "encode"),
}

TWO_FLOATS = struct.pack("<2f", 1, 2)
MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {
    "protocol_version": 1001,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


def stream(
    count=3,
    content=None,
    counted=None,
    magic=MAGIC,
    protocol=1001,
    system=SYSTEM,
    root=None,
    keys=("0",),
    kind="FloatStorage",
) -> bytes:
    """The bytes of one storage as torch.save's older layout has them: floats 1, 2, 3, ..."""
    if content is None:
        content = struct.pack(f"<{count}f", *range(1, count + 1))
    if root is None:
        root = plain(("storage", name("torch", kind), "0", "cpu", count, None)) + b"Q"
    heads = [plain(magic), plain(protocol), plain(system), root, plain(list(keys))]
    pickles = b"".join(finish(head, 2) for head in heads)
    return pickles + struct.pack("<q", count if counted is None else counted) + content


def storage(**changes) -> bytes:
    return call(LOAD, octets(stream(**changes)))


def tensor(offset=0, size=(3,), stride=(1,), count=3, **changes) -> bytes:
    source = storage(count=count, **changes)
    return call(TENSOR, source, offset, size, stride, False, call(ORDERED))


def dtype(code="f4", state=(3, "<", None, None, None, -1, -1, 0)) -> bytes:
    return call(DTYPE, code, False, True) + (b"" if state is None else plain(state) + b"b")


def array(shape=(2,), raw=TWO_FLOATS, kind=None, order=False, version=1) -> bytes:
    state = plain((version, shape, kind or dtype(), order, octets(raw)))
    return call(RECONSTRUCT, NDARRAY, (0,), octets(b"b")) + state + b"b"


def dill_array(maker=None, arguments=None, attributes=None) -> bytes:
    """An array as dill has it."""
    state = (1, (2,), dtype(), False, octets(TWO_FLOATS))
    made = (NDARRAY, (0,), octets(b"b")) if arguments is None else arguments
    return call(DILL_ARRAY, maker or RECONSTRUCT, made, state, attributes)


def mutable(value: bytes) -> bytes:
    """Opcodes of a bytearray."""
    return b"\x96" + struct.pack("<Q", len(value)) + value


def buffer(shape=(2,), raw=None, kind=None, order="C", function=FROMBUFFER) -> bytes:
    """An array as protocol 5 has it."""
    return call(
        function, mutable(TWO_FLOATS) if raw is None else raw, kind or dtype(), shape, order
    )


def module(class_name="Generator", source="raise SystemExit", **state) -> bytes:
    fields = {"_parameters": {}, "_buffers": {}, "_modules": {}, **state}
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name}
    return call(MODULE, {**meta, "state": fields})


def network(**state) -> bytes:
    return NETWORK + b")\x81" + plain(state) + b"b"


# Files of torch.save.

NAMESPACE = name("argparse", "Namespace")


def stored(key="0", count=3, kind="FloatStorage", place="cpu") -> bytes:
    """The persistent id of a storage in an archive."""
    return plain(("storage", name("torch", kind), key, place, count)) + b"Q"


def archived(offset=0, size=(3,), stride=(1,), source=None, **changes) -> bytes:
    """A tensor in an archive; its storage "0" is to hold the floats 1, 2, 3."""
    source = stored(**changes) if source is None else source
    return call(TENSOR, source, offset, size, stride, False, call(ORDERED))


THREE_FLOATS = struct.pack("<3f", 1, 2, 3)


def archive(root_object=None, root="model", storages=None, **others) -> bytes:
    """A zip archive as torch.save writes it; ``others`` replace or add members."""
    storages = {"0": THREE_FLOATS} if storages is None else storages
    members = {"data.pkl": finish(root_object or plain({"x": archived()}), 2)}
    members |= {"byteorder": b"little", **{f"data/{key}": raw for key, raw in storages.items()}}
    members |= {"version": b"3\n"}
    for key, raw in others.items():
        members[key.replace("__", ".")] = raw
    return zipped({f"{root}/{key}": raw for key, raw in members.items() if raw is not None})


def streamed(root_object=None, keys=("0",), counted=None, content=THREE_FLOATS) -> bytes:
    """A stream as torch.save wrote it before 2020, of one storage of three floats."""
    persistent = plain(("storage", name("torch", "FloatStorage"), "0", "cpu", 3, None)) + b"Q"
    if root_object is None:
        root_object = plain({"x": archived(source=persistent)})
    heads = [plain(MAGIC), plain(1001), plain(SYSTEM), root_object, plain(list(keys))]
    pickles = b"".join(finish(head, 2) for head in heads)
    return pickles + struct.pack("<q", 3 if counted is None else counted) + content


def zipped(members, method=zipfile.ZIP_STORED) -> bytes:
    """A zip archive of members in order; pairs may name one twice."""
    pairs = members.items() if isinstance(members, dict) else members
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for called, raw in pairs:
            file.writestr(zipfile.ZipInfo(called), raw, method)
    return content.getvalue()
