"""Dates as ISO 8601 text, whose order as text is their order in time."""

import re
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["iso_date"]

_PARTIAL = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
_FORMATS = (
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y:%m:%d %H:%M:%S",  # EXIF
    "%d.%m.%Y",
    "%Y%m%dT%H%M%S",
)


def iso_date(value: object) -> str:
    """`2017`, `2017-08`, `2017-08-25` or `2017-08-25T16:30:00Z`; empty for what is no date.

    Times with an offset are brought to UTC; times without one are taken as UTC, as image
    catalogues give them.
    """
    text = "" if value is None else str(value).strip()
    if _PARTIAL.fullmatch(text):
        return text
    moment = _parse(text) if text else None
    if moment is None:
        return ""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    if len(text) <= 10:
        return moment.strftime("%Y-%m-%d")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


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
    return None
