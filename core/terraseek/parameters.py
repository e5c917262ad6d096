"""Parameters of requests, declared once as fields of a dataclass.

A field made by `parameter` carries the parameter's name, help, limits and the way its value is read
from text and written to text. Command-line options, HTTP parameters, page links, query tables and
the OpenAPI description all derive from these declarations.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from terraseek.errors import InputError, TerraSeekError

__all__ = [
    "FLAG",
    "LONLAT",
    "NUMBER",
    "NUMBERS",
    "TEXT",
    "WHOLE_NUMBER",
    "WHOLE_NUMBERS",
    "Codec",
    "Parameter",
    "Params",
    "format_degrees",
    "openapi_parameters",
    "parameter",
    "parameters_of",
    "read_parameters",
    "write_parameters",
    "write_values",
]

Params = Mapping[str, Sequence[str]]
"""Parameter name to all its values, as in a URL query."""

_KEY = "parameter"


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value is read from text and written to it."""

    read: Callable[[str], Any]
    """Text to value; raises ValueError or a `TerraSeekError` for text it cannot read."""
    write: Callable[[Any], str] = str
    """Value to text that `read` reads back."""
    form: str = "text"
    """What the text looks like, for messages: "W,S,E,N in degrees"."""
    metavar: str = "TEXT"
    """Placeholder in the command's help."""
    json_type: str = "string"
    """Type in the OpenAPI description."""
    read_local: Callable[[str], Any] | None = None
    """Reader that also accepts the name of a local file; used by the command line alone."""


def format_degrees(values: Sequence[float]) -> str:
    """Coordinates joined by commas, with at most five decimals (about a metre)."""
    return ",".join(f"{value:.5f}".rstrip("0").rstrip(".") for value in values)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in ("0", "1", "false", "true"):
        raise ValueError(f"{text!r} is neither 0 nor 1")
    return text.lower() in ("1", "true")


def _lonlat(text: str) -> tuple[float, float]:
    lon, lat = (_finite(part) for part in text.split(","))
    return lon, lat


def _plain(value: float) -> str:
    return f"{value:g}"


TEXT = Codec(str)
NUMBER = Codec(_finite, _plain, "a finite number", "NUMBER", "number")
WHOLE_NUMBER = Codec(_whole, str, "a whole number", "INTEGER", "integer")
FLAG = Codec(_flag, lambda value: "1" if value else "0", "0 or 1", "", "string")
LONLAT = Codec(_lonlat, format_degrees, "LON,LAT in degrees, like 2.35,48.86", "LON,LAT")
NUMBERS = Codec(
    lambda text: tuple(_finite(part) for part in text.split(",")),
    lambda values: ",".join(map(_plain, values)),
    "finite numbers like 60,120",
    "N,N,...",
)
WHOLE_NUMBERS = Codec(
    lambda text: tuple(int(part) for part in text.split(",")),
    lambda values: ",".join(map(str, values)),
    "whole numbers like 96,192,384",
    "N,N,...",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, the same at every door."""

    name: str
    """Name in URLs and tables; with dashes for underscores it is the command's option."""
    help: str
    """What it means: one sentence without a full stop, beginning in lower case."""
    codec: Codec
    default: Any
    """Value of the field where the parameter is not given."""
    aliases: tuple[str, ...] = ()
    """Former names in URLs and tables, still accepted."""
    former_options: tuple[str, ...] = ()
    """Former option names of the command line, hidden and accepted for one release."""
    minimum: float | None = None
    """Smallest number accepted."""
    maximum: float | None = None
    """Largest number accepted."""
    choices: tuple[str, ...] = ()
    """All values accepted; empty accepts any."""

    @property
    def repeatable(self) -> bool:
        """Whether several values may be given; the field then holds a tuple."""
        return isinstance(self.default, tuple)

    def values(self, params: Params) -> list[str]:
        """Values given under the name or a former name; a single blank value is not given."""
        found = [text for name in (self.name, *self.aliases) for text in params.get(name, ())]
        return found if self.repeatable else [text for text in found if text]

    def read(
        self, text: str, error_class: type[TerraSeekError] = InputError, local_files: bool = False
    ) -> Any:  # noqa: ANN401 - any field's type
        """Read one value.

        Raises:
            TerraSeekError: of the class given, or the value's own, with name, value and form.
        """
        reader = (local_files and self.codec.read_local) or self.codec.read
        wanted = f"{self.name} is {text!r}; give {self.codec.form}{self._range()}"
        try:
            value = reader(text)
        except ValueError as error:
            raise error_class(wanted) from error
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise error_class(wanted)
        return value

    def _range(self) -> str:
        if self.minimum is None and self.maximum is None:
            return ""
        if self.minimum is not None and self.maximum is not None:
            return f" between {self.minimum:g} and {self.maximum:g}"
        return f" from {self.minimum:g} up" if self.maximum is None else f" up to {self.maximum:g}"


def parameter(
    name: str,
    about: str,
    codec: Codec = TEXT,
    *,
    default: Any = None,  # noqa: ANN401 - any field's type
    **limits: Any,  # noqa: ANN401 - the further fields of Parameter
) -> Any:  # noqa: ANN401 - like dataclasses.field
    """Declare a dataclass field that is a parameter; a tuple as `default` makes it repeatable.

    Args:
        name: name at every door.
        about: one sentence for help texts.
        codec: how its values are read and written.
        default: value where the parameter is not given.
        limits: further fields of `Parameter`.
    """
    declared = Parameter(name, about, codec, default, **limits)
    return field(default=default, metadata={_KEY: declared})


def parameters_of(kind: type, leave_out: Sequence[str] = ()) -> dict[str, Parameter]:
    """Field name to parameter, of the fields of a dataclass that declare one."""
    found = {item.name: item.metadata[_KEY] for item in fields(kind) if _KEY in item.metadata}
    return {name: known for name, known in found.items() if known.name not in leave_out}


def read_parameters(
    kind: type,
    params: Params,
    *,
    local_files: bool = False,
    problems: list[str] | None = None,
) -> dict[str, Any]:
    """Values of a dataclass's parameters, by field name; those not given are left out.

    Args:
        kind: a dataclass whose fields were made by `parameter`; its class attribute
            `parameter_error`, if any, is the error for values that cannot be used.
        params: texts by name; names that `kind` does not declare are ignored.
        local_files: whether a value may be the name of a file of this computer.
        problems: collects a sentence for each value that cannot be used, instead of an error.

    Raises:
        TerraSeekError: a value cannot be used and `problems` is None.
    """
    found: dict[str, Any] = {}
    error_class = getattr(kind, "parameter_error", InputError)
    for field_name, known in parameters_of(kind).items():
        read = partial(known.read, error_class=error_class, local_files=local_files)
        texts = known.values(params)
        values = list(_readable(read, texts if known.repeatable else texts[-1:], problems))
        if values:
            found[field_name] = tuple(values) if known.repeatable else values[-1]
    return found


def _readable(
    read: Callable[[str], Any], texts: Sequence[str], problems: list[str] | None
) -> Iterator[Any]:
    for text in texts:
        try:
            yield read(text)
        except TerraSeekError as error:
            if problems is None:
                raise
            problems.append(f"{error}; it was left out.")


def write_parameters(value: Any) -> dict[str, str | list[str]]:  # noqa: ANN401 - any dataclass
    """Parameters of a dataclass instance as texts; what equals its default is left out."""
    known = parameters_of(type(value))
    return write_values(known, {name: getattr(value, name) for name in known})


def write_values(
    known: Mapping[str, Parameter], values: Mapping[str, Any]
) -> dict[str, str | list[str]]:
    """Values by field name as texts by parameter name; what equals its default is left out."""
    written: dict[str, str | list[str]] = {}
    for field_name, value in values.items():
        declared = known[field_name]
        if value is None or value == declared.default:
            continue
        write = declared.codec.write
        many = declared.repeatable
        written[declared.name] = [write(one) for one in value] if many else write(value)
    return written


def openapi_parameters(kind: type, leave_out: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Query parameters of a dataclass for an OpenAPI 3.1 description."""
    return [_openapi(known) for known in parameters_of(kind, leave_out).values()]


def _openapi(known: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": known.codec.json_type}
    limits = {"minimum": known.minimum, "maximum": known.maximum}
    schema |= {name: limit for name, limit in limits.items() if limit is not None}
    choices = ["0", "1"] if known.codec is FLAG else list(known.choices)
    if choices:
        schema["enum"] = choices
    many = {"type": "array", "items": schema}
    return {
        "name": known.name,
        "in": "query",
        "description": known.help,
        "schema": many if known.repeatable else schema,
    }
