"""Dates as ISO 8601 text, so that sorting the text sorts by time."""

import re
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["MONTHS", "iso_date", "last_day", "parse_month"]

_MONTH_NAMES = (
    "January February March April May June July August September October November December"
)
MONTHS = _MONTH_NAMES.split()
"""English names of the months."""
_MONTH_BY_NAME = {
    name.lower(): number
    for number, month in enumerate(MONTHS, start=1)
    for name in (month, month[:3], "sept" if month == "September" else month)
}

_PARTIAL = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
_FORMATS = (
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y:%m:%d %H:%M:%S",  # EXIF
    "%d.%m.%Y",
    "%Y%m%dT%H%M%S",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
)
_SECONDS = re.compile(r"(1\d{9})(?:\d{3})?(?:\.0*)?")
"""Seconds or milliseconds since 1970, of dates from 2001 to 2033."""
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def iso_date(value: object) -> str:
    """Normalise a date to `2017`, `2017-08`, `2017-08-25` or `2017-08-25T16:30:00Z`.

    Times with an offset are converted to UTC; times without one are assumed to be UTC, as in image
    catalogues. A number of ten digits is the seconds since 1970. The result is empty text if the
    value is not a date, or could be two, such as `03/04/2020`.
    """
    text = "" if value is None else str(value).strip()
    if _PARTIAL.fullmatch(text):
        return text
    seconds = _SECONDS.fullmatch(text)
    if seconds is not None:
        return f"{datetime.fromtimestamp(int(seconds[1]), UTC):%Y-%m-%dT%H:%M:%SZ}"
    moment = _parse(text) if text else None
    if moment is None:
        return ""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    if len(text) <= 10 or not any(character in text for character in ":T"):
        return moment.date().isoformat()
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z"


def parse_month(value: object) -> int | None:
    """Month 1 to 12 of a number or an English name (`July`, `jul`, `7`, `7.0`); None if neither."""
    text = str(value).strip().rstrip(".").lower()
    if text in _MONTH_BY_NAME:
        return _MONTH_BY_NAME[text]
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number in range(1, 13) else None


def last_day(date: object) -> str:
    """Upper bound, as text, of the first ten characters of every date in a day, month or year.

    The bound of `2017-08-25` is that day; that of `2017-08` is `2017-08~`, which sorts after every
    day of the month.
    """
    text = iso_date(date)[:10]
    return text if len(text) == 10 else text + "~"


@lru_cache(maxsize=4096)
def _parse(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for pattern in _FORMATS:
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    return _with_slashes(text)


def _with_slashes(text: str) -> datetime | None:
    """Day and month with slashes, where only one order is possible."""
    found = _SLASHES.fullmatch(text)
    if found is None:
        return None
    first, second, year = (int(part) for part in found.groups())
    if (first > 12) == (second > 12) and first != second:
        return None
    month, day = (second, first) if first > 12 else (first, second)
    try:
        return datetime(year, month, day)
    except ValueError:
        return None
