"""Query parameters of an HTTP request."""

from starlette.requests import Request

from terraseek.parameters import WHOLE_NUMBER, Parameter, Params

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
    low, high = limits
    known = Parameter(name, "", WHOLE_NUMBER, default, minimum=low, maximum=high)
    number: int = known.read(request.query_params.get(name) or str(default))
    return number
