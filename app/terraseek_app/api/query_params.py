"""Query parameters of an HTTP request."""

from starlette.requests import Request

from terraseek.errors import InputError
from terraseek.parameters import Params

__all__ = ["all_values", "whole_number"]


def all_values(request: Request) -> Params:
    """All values of each parameter, as requests read them (`terraseek.request`)."""
    params = request.query_params
    return {name: params.getlist(name) for name in params}


def whole_number(request: Request, name: str, default: int, limits: tuple[int, int]) -> int:
    """A whole number between two limits, inclusive.

    Raises:
        InputError: the value is no whole number, or outside the limits.
    """
    text = request.query_params.get(name) or str(default)
    low, high = limits
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or not low <= int(text) <= high:
        raise InputError(f"{name} is {text!r}; give a whole number between {low} and {high}")
    return int(text)
