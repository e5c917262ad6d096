"""Options of an arm's method, from JSON."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, TypeVar

from terraseek.errors import ConfigError

__all__ = ["MethodOptions", "read_options"]


@dataclass(frozen=True)
class MethodOptions:
    """Options with defaults; closed choices are listed."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {}


_T = TypeVar("_T", bound=MethodOptions)


def read_options(kind: type[_T], given: Mapping[str, Any], who: str) -> _T:
    """The options, checked.

    Args:
        kind: their dataclass.
        given: plain values.
        who: names the arm in messages.

    Raises:
        ConfigError: an unknown key, a value of another kind, or none of the choices.
    """
    parts = {item.name: item for item in fields(kind)}
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    for key, value in plain.items():
        if key not in parts:
            raise ConfigError(f"{who} has the unknown option {key!r}; known: {', '.join(parts)}")
        choices = kind.CHOICES.get(key)
        for one in value if isinstance(value, tuple) else (value,):
            if choices is not None and one not in choices:
                raise ConfigError(f"{who}: {key} is {one!r}; it can be {', '.join(choices)}")
        default = parts[key].default
        if default is not MISSING and not _alike(value, default):
            raise ConfigError(f"{who}: {key} is {value!r}; it must be like {default!r}")
    return kind(**plain)


def _alike(value: object, default: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
