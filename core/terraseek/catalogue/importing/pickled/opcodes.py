"""Reader of pickle opcodes that builds a tree of plain values and never calls what a pickle names.

A call in the pickle becomes a `Call` with its arguments and state, a class or function a `Global`.
Nothing is imported, compared or hashed, and every opcode costs a bounded amount of work, so that
time and memory are proportional to the size of the file.
"""

import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "DamagedPickleError", "Global", "Pairs", "RefusedGlobalError", "read_opcodes"]

_MAX_INT_BYTES = 16
_MAX_LINE = 1 << 20


class RefusedGlobalError(Exception):
    """The pickle names a class or function that is not allowed."""


class DamagedPickleError(Exception):
    """The bytes are not a pickle, are cut short, or use opcodes that tables do not need."""


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that the pickle names."""

    module: str
    """Its module."""
    name: str
    """Its name in the module."""


@dataclass(slots=True, eq=False)
class Call:
    """A call that the pickle asks for."""

    function: Global
    """What would be called."""
    args: tuple[Any, ...]
    """Its arguments."""
    state: Any = None
    """State that the result would be given."""


class Pairs(list[tuple[Any, Any]]):
    """Items of a dictionary in their order; keys are not hashed."""

    def get(self, key: str) -> Any:  # noqa: ANN401 - any value of the tree
        """Value of the last pair with this text as its key; None without one."""
        return next((v for k, v in reversed(self) if isinstance(k, str) and k == key), None)


_MARK = object()


def read_opcodes(data: bytes, allowed: Mapping[str, Collection[str]]) -> Any:  # noqa: ANN401
    """Read a pickle as a tree of plain values, `Call`, `Global` and `Pairs`.

    Args:
        data: the pickle.
        allowed: names by module that it may use.

    Raises:
        RefusedGlobalError: it names anything else.
        DamagedPickleError: it is no complete pickle, or uses an opcode that tables do not need.
    """
    machine = _Machine(data, allowed)
    try:
        return machine.run()
    except (IndexError, KeyError, ValueError, TypeError, struct.error) as error:
        raise DamagedPickleError(f"byte {machine.position}: {error}") from error


class _Machine:
    """Stack, memo and position of a pickle that is read."""

    def __init__(self, data: bytes, allowed: Mapping[str, Collection[str]]) -> None:
        self.data, self.allowed, self.position = data, allowed, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:  # noqa: ANN401
        """Follow the opcodes until the one that stops."""
        while True:
            code = self.data[self.position]
            self.position += 1
            if code == 0x2E:  # STOP
                return self.pop()
            step = _STEPS.get(code)
            if step is None:
                raise DamagedPickleError(f"opcode {code:#x} at byte {self.position - 1}")
            step(self)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.position + size
        if size < 0 or end > len(self.data):
            raise DamagedPickleError("the file is cut short")
        part = self.data[self.position : end]
        self.position = end
        return part

    def number(self, form: str) -> Any:  # noqa: ANN401 - int or float
        """The next number, in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """The rest of the line."""
        end = self.data.index(b"\n", self.position, self.position + _MAX_LINE)
        text = self.data[self.position : end].decode("ascii")
        self.position = end + 1
        return text

    def pop(self) -> Any:  # noqa: ANN401
        """Remove and return the top of the stack, which must not be a mark."""
        value = self.stack.pop()
        if value is _MARK:
            raise DamagedPickleError("a mark in place of a value")
        return value

    def pop_to_mark(self) -> list[Any]:
        """Remove and return what lies above the last mark, and the mark."""
        items: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        items.reverse()
        return items

    def name(self, module: Any, name: Any) -> None:  # noqa: ANN401
        """Push a class or function, if it is allowed."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise DamagedPickleError("a name that is no text")
        if name not in self.allowed.get(module, ()):
            full_name = f"{module}.{name}"[:200]
            raise RefusedGlobalError(full_name if full_name.isprintable() else repr(full_name))
        self.stack.append(Global(module, name))

    def name_from_stack(self) -> None:
        name, module = self.pop(), self.pop()
        self.name(module, name)

    def call(self) -> None:
        args, function = self.pop(), self.pop()
        if not (isinstance(function, Global) and isinstance(args, tuple)):
            raise DamagedPickleError("a call of something that is no function")
        self.stack.append(Call(function, args))

    def build(self) -> None:
        state, target = self.pop(), self.stack[-1]
        if not isinstance(target, Call):
            raise DamagedPickleError("a state of something that has none")
        target.state = state

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise DamagedPickleError("items of something that is no list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, Pairs) or len(items) % 2:
            raise DamagedPickleError("items of something that is no dictionary")
        target.extend(zip(items[::2], items[1::2], strict=True))

    def integer(self, size: int) -> int:
        """A signed number of `size` bytes."""
        if size > _MAX_INT_BYTES:
            raise DamagedPickleError(f"a number of {size} bytes")
        return int.from_bytes(self.take(size), "little", signed=True)

    def text_number(self) -> Any:  # noqa: ANN401 - int or bool
        text = self.line()
        if text in ("00", "01"):
            return text == "01"
        if len(text) > 40:
            raise DamagedPickleError(f"a number of {len(text)} digits")
        return int(text.removesuffix("L"))


Step = Callable[[_Machine], object]


def _push(value: Callable[[_Machine], Any]) -> Step:
    return lambda m: m.stack.append(value(m))


def _tuple(size: int) -> Step:
    def step(machine: _Machine) -> None:
        items = [machine.pop() for _ in range(size)]
        machine.stack.append(tuple(reversed(items)))

    return step


def _memoize(machine: _Machine, key: int) -> None:
    machine.memo[key] = machine.stack[-1]


def _text(form: str) -> Step:
    return _push(lambda m: m.take(m.number(form)).decode("utf-8", "surrogatepass"))


def _bytes(form: str) -> Step:
    return _push(lambda m: m.take(m.number(form)))


_STEPS: dict[int, Step] = {
    ord(code): step
    for code, step in {
        "\x80": lambda m: m.take(1),  # version
        "\x95": lambda m: m.take(8),  # length of a frame
        "(": _push(lambda m: _MARK),
        "0": lambda m: m.stack.pop(),
        "1": _Machine.pop_to_mark,
        "2": _push(lambda m: m.stack[-1]),
        "N": _push(lambda m: None),
        "\x88": _push(lambda m: True),
        "\x89": _push(lambda m: False),
        "J": _push(lambda m: m.number("<i")),
        "K": _push(lambda m: m.number("<B")),
        "M": _push(lambda m: m.number("<H")),
        "\x8a": _push(lambda m: m.integer(m.number("<B"))),
        "\x8b": _push(lambda m: m.integer(m.number("<i"))),
        "G": _push(lambda m: m.number(">d")),
        "I": _push(_Machine.text_number),
        "L": _push(_Machine.text_number),
        "F": _push(lambda m: float(m.line()[:40])),
        "V": _push(lambda m: m.line().encode("ascii").decode("raw-unicode-escape")),
        "X": _text("<I"),
        "\x8c": _text("<B"),
        "\x8d": _text("<Q"),
        "B": _bytes("<I"),
        "C": _bytes("<B"),
        "\x8e": _bytes("<Q"),
        "\x96": _bytes("<Q"),
        "T": _push(lambda m: m.take(m.number("<i")).decode("latin-1")),  # text of Python 2
        "U": _push(lambda m: m.take(m.number("<B")).decode("latin-1")),
        ")": _push(lambda m: ()),
        "t": _push(lambda m: tuple(m.pop_to_mark())),
        "\x85": _tuple(1),
        "\x86": _tuple(2),
        "\x87": _tuple(3),
        "]": _push(lambda m: []),
        "l": _push(_Machine.pop_to_mark),
        "a": lambda m: m.append([m.pop()]),
        "e": lambda m: m.append(m.pop_to_mark()),
        "}": _push(lambda m: Pairs()),
        "s": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
        "u": lambda m: m.set_items(m.pop_to_mark()),
        "c": lambda m: m.name(m.line(), m.line()),
        "\x93": _Machine.name_from_stack,
        "R": _Machine.call,
        "\x81": _Machine.call,
        "b": _Machine.build,
        "h": _push(lambda m: m.memo[m.number("<B")]),
        "j": _push(lambda m: m.memo[m.number("<I")]),
        "g": _push(lambda m: m.memo[int(m.line()[:20])]),
        "q": lambda m: _memoize(m, m.number("<B")),
        "r": lambda m: _memoize(m, m.number("<I")),
        "p": lambda m: _memoize(m, int(m.line()[:20])),
        "\x94": lambda m: _memoize(m, len(m.memo)),
    }.items()
}
