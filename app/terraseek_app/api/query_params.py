"""Parsing of query parameters into numbers."""

import math

from starlette.requests import Request

from terraseek.errors import FilterError, InputError, QueryError

__all__ = ["lon_lat", "number", "numbers", "whole_number"]


def number(request: Request, name: str) -> float | None:
    """A finite number; None when the parameter is missing or empty.

    Raises:
        FilterError: the value is no finite number.
    """
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise FilterError(f"{name} is {text!r}; it must be a number") from error
    if not math.isfinite(value):
        raise FilterError(f"{name} is {text!r}; it must be a finite number")
    return value


def numbers(request: Request, name: str) -> tuple[float, ...] | None:
    """Numbers separated by commas; None when the parameter is missing or empty.

    Raises:
        InputError: a part is no number.
    """
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{name} is {text!r}; give numbers like 96,192,384") from error


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


def lon_lat(request: Request, name: str) -> tuple[float, float] | None:
    """Longitude and latitude in degrees, separated by a comma; None when missing or empty.

    Raises:
        QueryError: the value is not two numbers.
    """
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        message = f"{name} is {text!r}; give LON,LAT in degrees, like 2.35,48.86"
        raise QueryError(message) from error
    return lon, lat
