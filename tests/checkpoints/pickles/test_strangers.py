"""Names that no network needs: inert in parts that nothing looks at, refused where they matter."""

import argparse
import collections
import datetime
import functools
import os
import pathlib
import pickle
import random
import sys
import types
import uuid
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint
from latentlab.checkpoints.pickles import strangers
from latentlab.checkpoints.pickles.language import Global
from latentlab.checkpoints.pickles.plain import plain_facts
from latentlab.checkpoints.pickles.reader import Record, read_pickle
from latentlab.checkpoints.pickles.torch_save import read_torch
from tests.checkpoints.test_contents import CONTAINERS, MEAN
from tests.conftest import scarce_memory
from tests.support import attacks, foreign
from tests.support.attacks import archive, call, finish, name, plain, stack_name, streamed


class Stranger:
    """A class that is not latentlab's; unpickling it would be seen."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __setstate__(self, state):
        raise AssertionError("a stranger was unpickled")


class Slotted:
    __slots__ = ("a",)

    def __init__(self):
        self.a = 1


class ListOfOwn(list):
    pass


class DictOfOwn(dict):
    pass


# What training scripts have at hand -> what it becomes, or the class that its record names.
EXTRAS = {
    "device": (torch.device("cuda", 0), "torch.device"),
    "size": (torch.Size([2, 3]), (2, 3)),
    "dtype": (torch.float16, "torch.float16"),
    "namespace": (argparse.Namespace(lr=0.1), "argparse.Namespace"),
    "path": (pathlib.Path("a/b"), f"pathlib.{type(pathlib.Path()).__name__}"),
    "windows path": (pathlib.PureWindowsPath("a"), "pathlib.PureWindowsPath"),
    "partial": (functools.partial(int, base=2), "functools.partial"),
    "counter": (collections.Counter("aab"), "collections.Counter"),
    "deque": (collections.deque([1, 2], 3), "collections.deque"),
    "empty bytes": (b"", b""),
    "slice": (slice(1, 2), "builtins.slice"),
    "range": (range(3), "builtins.range"),
    "time": (datetime.datetime(2020, 1, 2), "datetime.datetime"),
    "duration": (datetime.timedelta(seconds=3), "datetime.timedelta"),
    "decimal": (Decimal("0.1"), "decimal.Decimal"),
    "fraction": (Fraction(1, 3), "fractions.Fraction"),
    "uuid": (uuid.UUID(int=3), "uuid.UUID"),
    "settings": (types.SimpleNamespace(a=1), "types.SimpleNamespace"),
    "numpy number": (np.float64(0.5), 0.5),
    "numpy type": (np.float32, "numpy.float32"),
    "numpy text": (np.str_("a"), "numpy.generic"),
    "numpy date": (np.datetime64("2020-01-02"), "numpy.generic"),
    "complex number of numpy": (np.complex64(1j), "numpy.generic"),
    "array of text": (np.array(["a", "b"]), "numpy.ndarray"),
    "complex number": (1j, "builtins.complex"),
    "ellipsis": (..., "builtins.Ellipsis"),
    "layout": (torch.strided, None),
    "type of weights": (torch.qint8, "torch.qint8"),
    "generator": (torch.Generator(), None),
    "sparse weights": (torch.eye(2).to_sparse(), "torch._utils._rebuild_sparse_tensor"),
    "set of numbers": ({1, 2**50}, {"<int 1>", f"<int {2**50}>"}),
    "tuples as keys": ({(0, 1): 2, (None,): 3}, {"<tuple (0, 1)>": 2, "<tuple (None,)>": 3}),
    "other keys": (
        {0.5: 1, None: 2, True: 3, 2**60: 4},
        {"<float 0.5>": 1, "<NoneType None>": 2, "<bool True>": 3, f"<int {2**60}>": 4},
    ),
    "numpy's random state": (np.random.RandomState(0).get_state(legacy=False), None),
    "a stranger": (Stranger(a=[1], g={"b": 2}), f"{__name__}.Stranger"),
    "a class": (Stranger, f"{__name__}.Stranger"),
    "slots": (Slotted(), f"{__name__}.Slotted"),
    "list of its own": (ListOfOwn([1, 2]), f"{__name__}.ListOfOwn"),
    "dict of its own": (DictOfOwn(a=1), f"{__name__}.DictOfOwn"),
    "optimiser": (torch.optim.SGD([torch.ones(1)], 0.1).state_dict(), None),
    "a layer": (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    "activation": (torch.nn.functional.relu, "torch.nn.functional.relu"),
}  # fmt: skip

OLD = {
    f"builtins.{name}": f"__builtin__.{old}"  # in protocol 2
    for name, old in {"slice": "slice", "range": "xrange", "complex": "complex",
                      "Ellipsis": "Ellipsis"}.items()
}  # fmt: skip


def called(value):
    return value.called if type(value) in (Record, Global) else value


@pytest.mark.parametrize("container", ["pickle of protocol 2", "pickle of protocol 4",
                                       "torch.save", "torch.save before 1.6"])  # fmt: skip
def test_extras_beside_a_network_do_no_harm(container, tmp_path):
    found = {"g_ema": foreign.rosinality_g(), "latent_avg": MEAN}
    extras = {key: value for key, (value, _) in EXTRAS.items()}
    path = tmp_path / "x.pt"
    path.write_bytes(CONTAINERS[container]({**found, "extras": extras}))
    checkpoint = latentlab.load(path)
    assert list(checkpoint.networks) == ["G_ema"]
    read = (read_pickle if container.startswith("pickle") else read_torch)(path)["extras"]
    for key, (_, expected) in EXTRAS.items():
        if expected is not None and key in read:
            assert called(read[key]) in (expected, OLD.get(str(expected))), key


def test_a_defaultdict_is_a_dict(tmp_path):
    found = collections.defaultdict(list, {"g_ema": foreign.rosinality_g(), "latent_avg": MEAN})
    path = tmp_path / "x.pt"
    torch.save(found, path)
    assert list(latentlab.load(path).networks) == ["G_ema"]


@pytest.mark.parametrize("key", [
    tuple(range(9)), ((1,),), ("a" * 101,), b"a" * 101, 2**64, ({},), Stranger(),
])  # fmt: skip
def test_long_and_deep_keys_are_refused(key, check_refused):
    body = b"}" + pickle.dumps(key, 2)[2:-1] + b"Ns"
    check_refused(finish(body), CheckpointError, "a key of type")
    check_refused(finish(b"\x8f(" + pickle.dumps(key, 2)[2:-1] + b"\x90"), CheckpointError)


def test_a_weight_of_a_type_that_networks_have_not(tmp_path):
    path = tmp_path / "x.pkl"
    weights = foreign.rosinality_g() | {"conv1.activate.bias": np.array(["a", "b"])}
    path.write_bytes(pickle.dumps({"g_ema": weights}))
    with pytest.raises(CheckpointError, match=r"conv1\.activate\.bias.*numpy\.ndarray"):
        latentlab.load(path)


def test_what_a_stranger_holds_is_known_and_nothing_else(read):
    found = read(pickle.dumps([Stranger(a=1, b=[2]), DictOfOwn(a=1)], 4))
    assert [item.called for item in found] == [f"{__name__}.Stranger", f"{__name__}.DictOfOwn"]
    assert found[0].state == {"a": 1, "b": [2]}
    assert found[1].state is None  # its items are dropped
    assert not any(callable(item) for item in found)


def test_facts_name_strangers(read):
    found = read(pickle.dumps({"a": 1, "b": [Stranger(), torch.float32]}, 4))
    assert plain_facts(found, "x") == {"a": 1, "b": [f"{__name__}.Stranger", "torch.float32"]}


# Nothing of it is imported or called.


def test_no_module_is_imported(read, tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    (tmp_path / "hostile_module.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nclass A: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    found = read(finish(plain([call(name("hostile_module", "A"), 1), name("hostile_module", "A")])))
    assert [called(item) for item in found] == ["hostile_module.A"] * 2
    assert set(sys.modules) == before
    assert not marker.exists()
    pickle.loads(finish(name("hostile_module", "A")))
    assert marker.exists(), "importing it does nothing, so the test shows nothing"


# Names that are refused wherever they are.

REFUSED = """
os.system posix.system nt.system subprocess.Popen builtins.eval builtins.exec builtins.getattr
builtins.__import__ __builtin__.eval __builtin__.getattr sys.exit runpy.run_path
importlib.reload importlib.import_module ctypes.CDLL operator.attrgetter operator.methodcaller
shutil.rmtree socket.socket types.FunctionType types.CodeType functools.reduce pickle.loads
marshal.loads torch.load torch.hub.load torch.jit.load torch._utils._rebuild_tensor
torch.serialization.load numpy.load numpy.f2py.main numpy.testing._private.utils.runstring
dill._dill._create_function dill._dill._load_type dill._dill._import_module cloudpickle.loads
joblib.load pip.main dnnlib.util.open_url dnnlib.util.call_func_by_name mine.eval
mine.Class.exec mine.__class__ collections.namedtuple pathlib.Path.unlink
logging.config.dictConfig copyreg._reconstructor multiprocessing.Process threading.Thread
webbrowser.open code.interact io.open codecs.open _io.FileIO tempfile.mktemp
urllib.request.urlopen asyncio.run inspect.getsource gc.collect
torch.nn.modules.torch.load torch.nn.init.torch.os.execv torch.distributions.os.popen2
torch.optim.sys.modules mine.os.execv mine.layers.subprocess.Popen mine.builtins.open
"""


@pytest.mark.parametrize("dotted", REFUSED.split())
def test_dangerous_names_are_refused_beside_a_network_as_well(dotted, check_refused):
    module, _, last = dotted.rpartition(".")
    for payload in (name(module, last), call(stack_name(module, last), 1)):
        body = plain({"G_ema": attacks.module(), "x": payload})
        check_refused(finish(body), UnsafeCheckpoint, dotted, "nothing was run")


@pytest.mark.parametrize("write", [archive, streamed])
@pytest.mark.parametrize("dotted", ["os.system", "builtins.eval", "mine.exec", "torch.hub.load"])
def test_dangerous_names_are_refused_in_files_of_torch_save(dotted, write, check_torch_refused):
    module, _, last = dotted.rpartition(".")
    content = write(plain({"x": call(name(module, last), 1)}))
    check_torch_refused(content, UnsafeCheckpoint, "byte ", dotted)


@pytest.mark.parametrize(
    ("module", "called"),
    [("a b", "c"), ("a", "b c"), ("", "a"), ("a", ""), ("a.", "b"), ("a", ".b"), ("a\nb", "c"),
     ("a", "b" * 300), ("a" * 300, "b"), ("a", "__globals__"), ("a.__init__", "b"), ("1a", "b")],
)  # fmt: skip
def test_names_that_are_none(module, called, check_refused):
    check_refused(finish(plain({"x": stack_name(module, called) + b")R"})), UnsafeCheckpoint)


# What may be done with a stranger.

A = name("mine", "A")
OBJECT = call(A)
MISUSES = {
    "calls an object": call(OBJECT, 1),
    "builds a class": A + plain({"a": 1}) + b"b",
    "builds twice": OBJECT + plain({"a": 1}) + b"b" + plain({"b": 1}) + b"b",
    "calls without a tuple": A + plain([1]) + b"R",
    "an object as a persistent id": OBJECT + b"Q",
    "an instance by opcode": b"(imine\nA\n",
    "an object by opcode": b"(" + A + b"o",
    "keywords": A + b")}\x92",
}


@pytest.mark.parametrize("payload", MISUSES.values(), ids=MISUSES)
def test_misuses_of_strangers(payload, check_refused):
    check_refused(finish(plain({"x": payload})), UnsafeCheckpoint)


@pytest.mark.parametrize("payload", [
    A + b"]a", A + b"(NNe", A + b"NNs", A + b"(NNu", A + b"(\x90",
])  # fmt: skip
def test_nothing_is_added_to_a_class(payload, check_refused):
    check_refused(finish(plain({"x": payload})), CheckpointError)


def test_items_of_an_object_are_dropped(read):
    deep = b"N" + b"\x85" * 60_000  # a key whose hash would end the process
    payload = OBJECT + b"Na" + b"(NNe" + deep + b"Ns" + b"(" + deep + b"Nu" + b"(" + deep + b"\x90"
    found = read(finish(plain({"x": payload, "y": 1})))
    assert found["x"].called == "mine.A"
    assert found["x"].state is None


def test_an_object_within_itself(read):
    # The object is memo 0, its state memo 1 holds it.
    content = finish(plain({"x": OBJECT + b"\x94" + b"}\x94" + attacks.text("me") + b"h\x00sb"}))
    found = read(content)["x"]
    assert found.state["me"] is found
    with pytest.raises(UnsupportedCheckpoint, match="not a StyleGAN"):
        latentlab.load(_written(content))


_FOLDER: list[pathlib.Path] = []


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    _FOLDER[:] = [tmp_path]


def _written(content):
    path = _FOLDER[0] / "written.pkl"
    path.write_bytes(content)
    return path


def test_a_million_names_cost_little(check_refused):
    """Each is a class of its own, and takes memory that the file's size does not show."""
    names = b"".join(b"ca%d\nb\n" % i for i in range(300_000))
    check_refused(finish(b"](" + names + b"e"), CheckpointError, "objects")


def test_a_million_uses_of_one_name_are_one(tmp_path):
    path = _written(finish(b"](" + b"cmine\nA\n" * 300_000 + b"e"))
    with scarce_memory():
        found = read_pickle(path)
    assert len(found) == 300_000
    assert all(item is found[0] for item in found)


def test_the_tables_cannot_be_written():
    with pytest.raises(TypeError):
        strangers._STANDARD["os"] = "system"
    for frozen in (strangers._PACKAGES, strangers._FUNCTIONS, strangers._TORCH, strangers._NUMPY):
        assert isinstance(frozen, frozenset)
    assert "os" not in strangers._STANDARD
    assert os.name  # the module that the names are of is here, and would work


# Where a network needs a stranger, it is refused by part and class.


@pytest.mark.parametrize("value", [Stranger(), random.Random(0), pathlib.Path("a"), Stranger])
def test_a_weight_that_is_a_stranger(value, tmp_path):
    path = tmp_path / "x.pt"
    kind = value if value is Stranger else type(value)
    torch.save({"g_ema": {**foreign.rosinality_g(), "conv1.activate.bias": value}}, path)
    words = rf"g_ema: 'conv1\.activate\.bias' is not a named tensor.*{kind.__name__}"
    with pytest.raises(CheckpointError, match=words):
        latentlab.load(path)


@pytest.mark.parametrize("place", ["_init_kwargs", "_parameters", "_modules"])
def test_a_module_made_of_strangers(place, check_refused):
    state = {"_init_kwargs": {}, "_parameters": {}, "_buffers": {}, "_modules": {}}
    state[place] = {"z_dim": call(name("mine", "Odd"), 1)}
    content = finish(plain({"G_ema": attacks.module(**state)}))
    with pytest.raises(CheckpointError, match=r"G_ema.*mine\.Odd"):
        latentlab.load(_written(content))
