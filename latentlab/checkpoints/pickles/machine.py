"""The opcodes of a pickle as data: a stack, a memo and a table of permitted names, nothing else.

``opcodes`` reads them; none imports, calls or sets an attribute of anything outside this package.
A name in the file becomes an inert token, and calling a token means looking it up in a read-only
table of our own functions; one that is not in it becomes a record, or is refused, see
``strangers``.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from latentlab.checkpoints.pickles.keys import safe_item, safe_key
from latentlab.checkpoints.pickles.language import Buildable, Builder, Global, Language
from latentlab.checkpoints.pickles.limits import BoundedFile, Budget
from latentlab.checkpoints.pickles.opcodes import (
    CONSTANTS,
    CONTAINERS,
    LITERALS,
    read_opcode,
    strange_opcode,
)
from latentlab.errors import (
    CheckpointError,
    TruncatedCheckpoint,
    UnsafeCheckpoint,
    UnsupportedCheckpoint,
    quoted,
    reason,
)

_PROTOCOLS = range(2, 6)


class PickleMachine:
    """Reads one pickle from the current position of a file to its STOP."""

    def __init__(self, file: BoundedFile, language: Language, budget: Budget) -> None:
        self.file, self.language, self.budget = file, language, budget
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each MARK
        self.memo: dict[int, Any] = {}  # sparse: a huge index costs nothing
        self.tokens: dict[tuple[str, str], Global] = {}
        self.strangers: dict[tuple[str, str], Builder] = {}  # what calling them does
        self._position = self._frame_end = file.position

    def run(self) -> Any:
        """Return the one object that the pickle describes.

        Raises:
            CheckpointError: Naming the byte; UnsafeCheckpoint where code would be run,
                TruncatedCheckpoint where the file ends too early.
        """
        try:
            return self._loop()
        except CheckpointError as error:
            raise type(error)(f"byte {self._position}: {error}") from error
        except IndexError as error:
            message = f"byte {self._position}: damaged pickle (takes a value that is not there)"
            raise CheckpointError(message) from error
        except (ValueError, OverflowError) as error:  # how pickletools says it
            place, ended = self.file.position, self.file.left <= 0
            kind = TruncatedCheckpoint if ended else CheckpointError
            raise kind(f"byte {place}: damaged pickle ({reason(error)!a})") from error

    def _loop(self) -> Any:
        name, argument = read_opcode(self.file, self.budget, _KNOWN)
        if name != "PROTO" or argument not in _PROTOCOLS:
            raise UnsupportedCheckpoint("not a pickle of protocol 2 to 5")
        while name != "STOP":
            self._position = self.file.position
            name, argument = read_opcode(self.file, self.budget, _KNOWN)
            if name == "FRAME":
                self._open_frame(cast(int, argument))
            elif name in LITERALS:
                self.stack.append(argument)
            else:
                self._step(name, argument)
            # Unpicklers differ in what they read where an opcode crosses the end of a frame.
            if self._position < self._frame_end < self.file.position:
                raise CheckpointError("an opcode crosses the end of its frame")
        if len(self.stack) != 1 or self.below:
            raise CheckpointError("damaged pickle (does not end with one object)")
        return self.stack[0]

    def _open_frame(self, length: int) -> None:
        start = self.file.position
        if self._position < self._frame_end:
            raise CheckpointError("a frame within a frame")
        if length > self.file.size - start:
            raise TruncatedCheckpoint(f"a frame of {length} bytes is longer than the file")
        self._frame_end = start + length

    def _step(self, name: str, argument: Any) -> None:
        if name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in CONTAINERS:
            self.budget.take_object()
            self.stack.append(CONTAINERS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name == "BINPERSID":
            if self.language.persistent is None:
                raise strange_opcode(name)
            self.stack.append(self.language.persistent(self.stack.pop()))
        elif name == "PROTO":
            raise strange_opcode(name)

    def pop_mark(self) -> list[Any]:
        """Take everything above the last MARK."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def top(self, kind: type) -> Any:
        """Return the top of the stack, which must be of exactly this type.

        It is None where the top is an object that takes no items, and may be given some.
        """
        top = self.stack[-1]
        if isinstance(top, Buildable) and top.takes_items():
            return None
        if type(top) is not kind:
            raise CheckpointError(f"damaged pickle (no {kind.__name__} to add to)")
        return top

    def pop_two(self) -> tuple[Any, Any]:
        """Take the top of the stack and what is under it, in the order of the file."""
        upper = self.stack.pop()
        return self.stack.pop(), upper

    def refer(self, module: Any, name: Any) -> None:
        """Push the token of a permitted name."""
        if type(module) is not str or type(name) is not str:
            raise UnsafeCheckpoint("a name is not text; nothing was run")
        key = module, name
        if key not in self.tokens:
            if key not in self.language.names:
                self.strangers[key] = self._stranger(module, name)
            self.budget.take_object()
            self.tokens[key] = Global(module, name)
        self.stack.append(self.tokens[key])

    def _stranger(self, module: str, name: str) -> Builder:
        if self.language.stranger is None:
            raise UnsafeCheckpoint(
                f"asks for {ascii(f'{module}.{name}')[1:-1][:100]}, which no StyleGAN checkpoint "
                "needs; nothing was run"
            )
        return self.language.stranger(module, name)

    def call(self) -> None:
        """Replace a token and its arguments with what our function for it makes of them."""
        self.budget.take_object()
        token, arguments = self.pop_two()
        if type(token) is not Global or type(arguments) is not tuple:
            raise UnsafeCheckpoint("calls something that has no name; nothing was run")
        key = token.module, token.name
        builder = self.strangers.get(key) or self.language.names[key]
        if builder is None:
            raise UnsafeCheckpoint(f"calls {token.module}.{token.name}; nothing was run")
        self.stack.append(builder(arguments, self.budget))

    def build(self) -> None:
        """Complete an object of ours, on the stack and wherever the memo holds it."""
        target, state = self.pop_two()
        known = self.language.attributes
        if known and type(target) is dict and type(state) is dict and state.keys() <= known:
            self.stack.append(target)
            return
        if not isinstance(target, Buildable):
            raise UnsafeCheckpoint("sets the state of something that has none; nothing was run")
        built = target.build(state, self.budget)
        if built is not target:
            for key in target.slots:
                if self.memo.get(key) is target:
                    self.memo[key] = built
        self.stack.append(built)

    def put(self, key: int) -> None:
        """Remember the top of the stack."""
        self.budget.take_object()
        value = self.memo[key] = self.stack[-1]
        if isinstance(value, Buildable):
            value.slots.append(key)

    def get(self, key: int) -> None:
        """Push what was remembered."""
        if key not in self.memo:
            raise CheckpointError(f"damaged pickle (memo {key} is empty)")
        self.stack.append(self.memo[key])


_Action = Callable[[PickleMachine, Any], None]


def _mark(machine: PickleMachine, _: object) -> None:
    machine.budget.take_object()
    machine.below.append(machine.stack)
    machine.stack = []


def _tuple(machine: PickleMachine, _: object) -> None:
    machine.budget.take_object()
    items = machine.pop_mark()  # exposes the stack that the tuple goes to
    machine.stack.append(tuple(items))


def _short_tuple(length: int) -> _Action:
    def action(machine: PickleMachine, _: object) -> None:
        if len(machine.stack) < length:
            raise IndexError
        machine.budget.take_object()
        machine.stack[-length:] = [tuple(machine.stack[-length:])]

    return action


def _append(machine: PickleMachine, _: object) -> None:
    value = machine.stack.pop()
    if (target := machine.top(list)) is not None:
        target.append(value)


def _appends(machine: PickleMachine, _: object) -> None:
    items = machine.pop_mark()
    if (target := machine.top(list)) is not None:
        target.extend(items)


def _add_items(machine: PickleMachine, _: object) -> None:
    items = machine.pop_mark()
    if (target := machine.top(set)) is not None:
        target.update(safe_item(item, machine.budget) for item in items)


def _set_pairs(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.top(dict)
    if len(items) % 2:
        raise CheckpointError("damaged pickle (a key without a value)")
    if target is None:
        return
    for key, value in zip(items[::2], items[1::2], strict=True):
        name = safe_key(key, machine.budget)
        if name in target:
            raise CheckpointError(f"the key {quoted(name)} is set twice")
        target[name] = value


_ACTIONS: Mapping[str, _Action] = MappingProxyType(
    {
        "MARK": _mark,
        "TUPLE": _tuple,
        "TUPLE1": _short_tuple(1),
        "TUPLE2": _short_tuple(2),
        "TUPLE3": _short_tuple(3),
        "APPEND": _append,
        "APPENDS": _appends,
        "ADDITEMS": _add_items,
        "SETITEM": lambda machine, _: _set_pairs(machine, list(machine.pop_two())),
        "SETITEMS": lambda machine, _: _set_pairs(machine, machine.pop_mark()),
        "BINPUT": PickleMachine.put,
        "LONG_BINPUT": PickleMachine.put,
        "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
        "BINGET": PickleMachine.get,
        "LONG_BINGET": PickleMachine.get,
        "GLOBAL": lambda machine, pair: machine.refer(*pair.split(" ", 1)),
        "STACK_GLOBAL": lambda machine, _: machine.refer(*machine.pop_two()),
        "REDUCE": lambda machine, _: machine.call(),
        "NEWOBJ": lambda machine, _: machine.call(),
        "BUILD": lambda machine, _: machine.build(),
    }
)
_BESIDE = ("PROTO", "FRAME", "BINPERSID", "STOP")
_KNOWN = frozenset([*LITERALS, *CONSTANTS, *CONTAINERS, *_ACTIONS, *_BESIDE])
