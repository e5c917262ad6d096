"""The type checker of the test run: beartype, with int accepted where float is meant (PEP 484).

Only pytest's `--jaxtyping-packages` option names it; nothing in the product imports it.
"""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["checked"]

F = TypeVar("F", bound=Callable[..., object])


def checked(function: F) -> F:
    """Check the arguments and the result of `function` against its annotations at each call."""
    from beartype import BeartypeConf, beartype

    typed: F = beartype(conf=BeartypeConf(is_pep484_tower=True))(function)
    return typed
