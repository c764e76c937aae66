"""Pickles that would run code: each is refused, and runs nothing."""

import ast
import builtins
import copyreg
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint
from latentlab.checkpoints.pickles import arrays, machine, opcodes, reader, tensors
from latentlab.checkpoints.pickles.reader import read_pickle
from tests.support import attacks
from tests.support.attacks import call, finish, name, octets, plain, stack_name, text

PACKAGE = Path(latentlab.__file__).parent
PROTOCOLS = [2, 3, 4, 5]


# C1-C15 are the rows of the project's list of attacks.


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_c01_a_call_of_the_system(protocol, check_refused, tmp_path):
    check_refused(
        finish(attacks.touch(tmp_path / "marker"), protocol), UnsafeCheckpoint, "posix.system"
    )


def test_the_payload_would_work(tmp_path):
    pickle.loads(finish(attacks.touch(tmp_path / "marker")))
    assert (tmp_path / "marker").exists(), "the payload does nothing, so the tests show nothing"


@pytest.mark.parametrize("protocol", [0, 1])
def test_c01_older_protocols(protocol, tmp_path):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch '{tmp_path}/marker'",)

    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"G_ema": Payload()}, protocol))
    for open_file in (read_pickle, latentlab.load):
        with pytest.raises(UnsupportedCheckpoint):
            open_file(path)
    assert not (tmp_path / "marker").exists()


def test_c02_a_name_on_the_stack_from_the_memo(check_refused, tmp_path):
    strings = plain((text("system") + b"\x94", text("posix") + b"\x94"))
    hidden = attacks.touch(tmp_path / "m", b"h\x01h\x00\x93")
    check_refused(finish(plain((strings, hidden))), UnsafeCheckpoint, "posix.system")
    stacked = stack_name("posix", "system")
    check_refused(finish(attacks.touch(tmp_path / "m", stacked)), UnsafeCheckpoint, "posix.system")
    for odd in (b"N" + text("x"), text("x") + b"N", b"]]"):
        check_refused(finish(odd + b"\x93"), UnsafeCheckpoint, "not text")


C3 = {
    "INST": lambda m: b"(" + text(f"touch '{m}'") + b"iposix\nsystem\n",
    "OBJ": lambda m: b"(" + attacks.EASYDICT + text(f"touch '{m}'") + b"o",
    "NEWOBJ_EX": lambda m: attacks.EASYDICT + b")}\x92",
    "PERSID": lambda m: b"Pposix\n",
    "BINPERSID": lambda m: text("x") + b"Q",
    "EXT1": lambda m: b"\x82\xf0",
    "EXT2": lambda m: b"\x83\xf0\x00",
    "EXT4": lambda m: b"\x84\xf0\x00\x00\x00",
}


@pytest.mark.parametrize("opcode", C3)
def test_c03_c09_opcodes_that_run_code(opcode, check_refused, tmp_path):
    copyreg.add_extension("posix", "system", 0xF0)
    try:
        body = C3[opcode](tmp_path / "marker")
        check_refused(finish(body), UnsafeCheckpoint, opcode)
        check_refused(finish(body + b"0N"), UnsafeCheckpoint, opcode)  # the result thrown away
    finally:
        copyreg.remove_extension("posix", "system", 0xF0)


@pytest.mark.parametrize(
    ("opcode", "body"),
    [
        ("POP", b"NN0"), ("POP_MARK", b"N(1"), ("DUP", b"N2"), ("INT", b"I1\n"), ("LONG", b"L1L\n"),
        ("STRING", b"S'a'\n"), ("UNICODE", b"Va\n"), ("FLOAT", b"F1\n"), ("PUT", b"Np0\n"),
        ("GET", b"Nq\x00g0\n"), ("LIST", b"(l"), ("DICT", b"(d"), ("FROZENSET", b"(\x91"),
        ("LONG4", b"\x8b\x01\x00\x00\x00\x01"),
        ("NEXT_BUFFER", b"\x97"), ("READONLY_BUFFER", b"N\x98"), ("BINSTRING", b"T" + bytes(4)),
        ("SHORT_BINSTRING", b"U\x00"), ("PROTO", b"\x80\x04N"),
    ],
)  # fmt: skip
def test_other_opcodes_are_refused_by_name(opcode, body, check_refused):
    check_refused(finish(body), UnsupportedCheckpoint, f"opcode {opcode} ")


@pytest.mark.parametrize(
    ("module", "called"),
    [
        ("dnnlib.util", "EasyDict.__init__.__globals__"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch", "storage._load_from_bytes"), ("torch_utils", "persistence.exec"),
        ("torch.storage", "_load_from_bytes "), ("torch.storage ", "_load_from_bytes"),
        ("collections", "OrderedDict.__reduce__"), ("numpy", "dtype.newbyteorder"),
        ("dnnlib.util", "open_url"), ("numpy.core.multiarray", "fromfile"), ("", ""),
        ("torch", "FloatStorage"), ("a\nb", "c\ud800"),
    ],
)  # fmt: skip
def test_c04_names_close_to_permitted_ones(module, called, check_refused):
    check_refused(finish(stack_name(module, called) + b")R"), UnsafeCheckpoint, "nothing was run")


@pytest.mark.parametrize("protocol", [2, 4])
def test_c05_a_payload_within_a_storage(protocol, check_refused, tmp_path):
    payload = attacks.touch(tmp_path / "marker")
    for nested in (
        finish(payload, protocol),
        attacks.stream(system=payload),
        attacks.stream(root=payload),
        attacks.stream(root=plain(("storage", payload, "0", "cpu", 3, None)) + b"Q"),
        attacks.stream(keys=[payload]),
        attacks.stream(root=call(attacks.LOAD, octets(attacks.stream()))),
    ):
        check_refused(
            finish(call(attacks.LOAD, octets(nested))), UnsafeCheckpoint, "in a storage", "asks"
        )


def test_c06_c07_source_texts_are_not_run(read, tmp_path, monkeypatch):
    source = f"open({str(tmp_path / 'marker')!r}, 'w')"
    before = set(sys.modules)

    def forbidden(*_):
        raise AssertionError("source was run")

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "exec", forbidden)
        patch.setattr(builtins, "eval", forbidden)
        module = read(finish(attacks.module(source=source, z_dim=4)))
        network = read(finish(attacks.network(build_module_src=source)))
    assert module.state["z_dim"] == 4
    assert "module_src" not in module.state
    assert network.state["build_module_src"] == source
    assert not (tmp_path / "marker").exists()
    assert set(sys.modules) == before


@pytest.mark.parametrize("function", attacks.ALLOWED.values(), ids=attacks.ALLOWED)
@pytest.mark.parametrize("state", [(None, {"__getattr__": "poison"}), {"a": 1}, None, (1, 2)])
def test_c08_the_state_of_a_name_cannot_be_set(function, state, check_refused, read):
    genuine = finish(attacks.tensor())
    before = read(genuine)
    check_refused(finish(function + plain(state) + b"b"), UnsafeCheckpoint, "sets the state")
    assert torch.equal(read(genuine), before)


@pytest.mark.parametrize("state", [(None, {"state": {}}), None, [1], "x"])
def test_c08_the_state_of_an_object_is_a_dict_given_once(state, check_refused):
    check_refused(finish(attacks.NETWORK + b")\x81" + plain(state) + b"b"))
    check_refused(finish(attacks.network(a=1) + plain({"b": 2}) + b"b"))
    check_refused(finish(attacks.module() + plain({"b": 2}) + b"b"))
    check_refused(finish(attacks.array() + plain((1, (1,), 2, False, 3)) + b"b"))


def test_names_that_are_arguments_only_are_not_called(check_refused):
    check_refused(finish(call(attacks.NDARRAY, (2,))), UnsafeCheckpoint, "calls numpy.ndarray")
    nested = attacks.stream(root=call(name("torch", "FloatStorage"), 3))
    check_refused(finish(call(attacks.LOAD, octets(nested))), UnsafeCheckpoint, "calls torch.Float")


# What picklescan lists as dangerous, and some more.
DANGEROUS = """
builtins.eval builtins.exec builtins.compile builtins.getattr builtins.setattr builtins.open
builtins.__import__ builtins.apply builtins.breakpoint builtins.globals builtins.print
__builtin__.eval __builtin__.exec __builtin__.getattr os.system os.popen os.execv nt.system
posix.system posix.popen subprocess.Popen subprocess.run subprocess.check_output sys.exit
socket.create_connection requests.api.get aiohttp.client.ClientSession httplib.HTTPSConnection
webbrowser.open shutil.rmtree shutil.copy runpy.run_path runpy._run_code code.InteractiveInterpreter
pty.spawn bdb.Bdb pdb.Pdb timeit.timeit trace.Trace.run profile.Profile.run cProfile.run
asyncio.unix_events._UnixSubprocessTransport._start ctypes.CDLL pickle.loads pickle.load
_pickle.loads dill.loads marshal.loads types.FunctionType types.CodeType importlib.import_module
pkgutil.resolve_name operator.attrgetter operator.methodcaller operator.itemgetter
functools.partial functools.reduce uuid._get_command_stdout numpy.f2py.crackfortran._eval_length
numpy.testing._private.utils.runstring numpy.load torch.load torch.jit.load torch.hub.load
torch.serialization.load torch._dynamo.guards.GuardBuilder.get
torch.utils._config_module.load_config torch.utils.bottleneck.__main__.run_cprofile
torch.fx.experimental.symbolic_shapes.ShapeEnv
torch.storage._load_from_bytes.__globals__ pip.main venv.create doctest.debug_script
idlelib.pyshell.ModifiedInterpreter.runcode lib2to3.pgen2.pgen.ParserGenerator.make_label
ensurepip._run_pip distutils.file_util.write_file pathlib.Path pathlib.PosixPath.unlink
tempfile.NamedTemporaryFile urllib.request.urlopen smtplib.SMTP ssl.get_server_certificate
copyreg._reconstructor copyreg.add_extension argparse.Namespace torch.nn.modules.linear.Linear
"""


@pytest.mark.parametrize("dotted", DANGEROUS.split())
def test_c10_every_other_name_is_refused(dotted, check_refused):
    module, _, called = dotted.rpartition(".")
    check_refused(finish(name(module, called) + b")R"), UnsafeCheckpoint, dotted)


def test_c11_an_opcode_across_the_end_of_a_frame(check_refused):
    frame = b"\x95" + (2).to_bytes(8, "little")
    check_refused(finish(frame + b"B\x07\x01\x00\x00" + bytes(263)), CheckpointError, "frame")
    check_refused(finish(frame + b"N" + frame), CheckpointError, "frame")
    check_refused(finish(b"\x95" + (2**62).to_bytes(8, "little") + b"N"), CheckpointError, "frame")


IDS = {
    "module": ("module", name("torch", "FloatStorage"), "0", "cpu", 3, None),
    "no class": ("storage", "FloatStorage", "0", "cpu", 3, None),
    "a view": ("storage", name("torch", "FloatStorage"), "0", "cpu", 3, ("1", 0, 3)),
    "short": ("storage", name("torch", "FloatStorage"), "0", "cpu", 3),
    "text": "storage",
    "other class": ("storage", name("torch", "ComplexFloatStorage"), "0", "cpu", 3, None),
    "untyped": ("storage", name("torch", "UntypedStorage"), "0", "cpu", 3, None),
    "tensor class": ("storage", name("torch", "Tensor"), "0", "cpu", 3, None),
}


@pytest.mark.parametrize("identity", IDS.values(), ids=IDS)
def test_c12_other_persistent_ids(identity, check_refused):
    check_refused(finish(attacks.tensor(root=plain(identity) + b"Q")), UnsafeCheckpoint)


@pytest.mark.parametrize(
    "kind",
    [
        *(
            attacks.dtype(code)
            for code in ("O8", "O", "V4", "S", "U-1", "Mx", "c8,c8", ">f4", "f4,f4")
        ),
        attacks.dtype(state=(3, ">", None, None, None, -1, -1, 0)),
        attacks.dtype(state=(3, "|", None, ("a",), {"a": 1}, 4, 1, 16)),
        attacks.dtype(state=(3, "|", None, None, None, -1, -1, 63)),
        attacks.dtype(state=(3, "|", (attacks.dtype(), (2,)), None, None, -1, -1, 0)),
        attacks.dtype(state={"a": 1}),
        call(attacks.DTYPE, [("a", "f4")], False, True),
        call(attacks.DTYPE, attacks.array(), False, True),
    ],
)
def test_c13_arrays_of_anything_but_numbers(kind, check_refused):
    check_refused(finish(attacks.array(kind=kind)), UnsafeCheckpoint, "dtype")
    check_refused(
        finish(attacks.network(variables=[("a", attacks.array(kind=kind))])), UnsafeCheckpoint
    )


def test_c13_arrays_of_objects(check_refused):
    content = pickle.dumps(np.array([{}, {}], dtype=object), 4)
    check_refused(content, UnsafeCheckpoint, "dtype")
    listed = call(attacks.RECONSTRUCT, attacks.NDARRAY, (0,), octets(b"b"))
    check_refused(finish(listed + plain((1, (2,), attacks.dtype(), False, [1, 2])) + b"b"))
    check_refused(finish(call(attacks.RECONSTRUCT, attacks.EASYDICT, (0,), octets(b"b"))))


@pytest.mark.parametrize("odd", [
    attacks.dill_array(maker=name("mine", "make")), attacks.dill_array(maker=plain(1)),
    attacks.dill_array(attributes={"a": 1}), attacks.dill_array(arguments=plain([1])),
    attacks.dill_array(arguments=(attacks.EASYDICT, (0,), octets(b"b"))),
    call(attacks.DILL_ARRAY), call(attacks.DILL_ARRAY, attacks.RECONSTRUCT),
])  # fmt: skip
def test_c13_arrays_of_dill_that_are_made_otherwise(odd, check_refused):
    check_refused(finish(plain({"x": odd})), UnsafeCheckpoint)


ATTRIBUTED = name("torch._tensor", "_rebuild_from_type_v2")


@pytest.mark.parametrize("odd", [
    call(ATTRIBUTED), call(ATTRIBUTED, name("mine", "make"), name("torch", "Tensor"), (), {}),
    call(ATTRIBUTED, attacks.TENSOR, name("torch", "Tensor"), [1], {}),
    call(ATTRIBUTED, attacks.TENSOR, name("torch", "Tensor"), (1, 2), {}),
    call(ATTRIBUTED, attacks.LOAD, name("torch", "Tensor"), (octets(b""),), {}),
    call(ATTRIBUTED, 1, 2, 3, 4),
])  # fmt: skip
def test_tensors_with_attributes_that_are_made_otherwise(odd, check_refused):
    check_refused(finish(plain({"x": odd})), UnsafeCheckpoint)


def test_c14_there_is_no_way_around_the_reader():
    for file in PACKAGE.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        assert "weights_only=False" not in source
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute | ast.Name):
                called = ast.unparse(node)
                assert called not in {"pickle", "Unpickler", "exec", "eval", "importlib"}, file.name
            if isinstance(node, ast.arg):
                assert "unsafe" not in node.arg


@pytest.mark.parametrize(
    "table",
    [
        reader._NAMES, tensors.STORAGE_NAMES, tensors._TYPES,
        machine._ACTIONS, opcodes.CONSTANTS, opcodes.CONTAINERS, opcodes._OPCODES, opcodes._TEXTS,
    ],
)  # fmt: skip
def test_c15_the_tables_cannot_be_written(table):
    with pytest.raises(TypeError):
        table["posix", "system"] = os.system
    for frozen in (machine._KNOWN, opcodes.LITERALS, opcodes._CODE, arrays._CODES):
        assert isinstance(frozen, frozenset)
