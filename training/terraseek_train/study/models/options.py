"""Options of a training method, read from JSON."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, TypeVar

from terraseek.errors import ConfigError

__all__ = ["MethodOptions", "read_options"]


@dataclass(frozen=True)
class MethodOptions:
    """Base class: options with defaults; `CHOICES` lists the values of closed options."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {}


_T = TypeVar("_T", bound=MethodOptions)


def read_options(kind: type[_T], given: Mapping[str, Any], label: str) -> _T:
    """Build and check the options of an arm.

    Args:
        kind: dataclass of the options.
        given: plain values.
        label: name of the arm in error messages.

    Raises:
        ConfigError: an unknown key, a value of another type, or none of the choices.
    """
    parts = {item.name: item for item in fields(kind)}
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    for key, value in plain.items():
        if key not in parts:
            raise ConfigError(f"{label} has the unknown option {key!r}; known: {', '.join(parts)}")
        choices = kind.CHOICES.get(key)
        for one in value if isinstance(value, tuple) else (value,):
            if choices is not None and one not in choices:
                raise ConfigError(f"{label}: {key} is {one!r}; it can be {', '.join(choices)}")
        default = parts[key].default
        if default is not MISSING and not _same_type(value, default):
            raise ConfigError(
                f"{label}: {key} is {value!r}; it must be a value such as {default!r}"
            )
    return kind(**plain)


def _same_type(value: object, default: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
