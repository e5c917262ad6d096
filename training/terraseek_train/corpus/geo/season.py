"""Season of a date and a hemisphere, and the sentence parts of a moment."""

from terraseek.catalogue.metadata.dates import iso_date

__all__ = ["MONTHS", "month_of", "season", "timestamp"]

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_NORTHERN = ("Winter", "Spring", "Summer", "Fall")


def month_of(value: object) -> int:
    """Month, 1 to 12, of a date, a month's name or a number; 0 if there is none."""
    text = str(value or "").strip()
    if text.isdecimal() and len(text) <= 2:
        return int(text) if 1 <= int(text) <= 12 else 0
    named = [
        n
        for n, month in enumerate(MONTHS, 1)
        if len(text) > 2 and month.startswith(text[:9].title())
    ]
    if named:
        return named[0]
    date = iso_date(text)
    return int(date[5:7]) if len(date) >= 7 else 0


def season(month: int, lat: float | None, northern_only: bool = False) -> str:
    """Season of a month (December to February is the northern Winter); "" where unknown.

    Args:
        month: 1 to 12; 0 where unknown.
        lat: degrees north; the seasons of the southern hemisphere are opposite. None gives ""
            unless `northern_only`.
        northern_only: as published by RS5M, which ignores the hemisphere.
    """
    if not month or (lat is None and not northern_only):
        return ""
    shift = 2 if lat is not None and lat < 0 and not northern_only else 0
    return _NORTHERN[(month % 12 // 3 + shift) % 4]


def timestamp(captured_at: str) -> str:
    """Moment as RS5M's captions have it: `7 o'clock, March 9, 2016`; without hour if unknown."""
    date = iso_date(captured_at)
    if len(date) < 10:
        return ""
    day = f"{MONTHS[int(date[5:7]) - 1]} {int(date[8:10])}, {date[:4]}"
    return f"{int(date[11:13])} o'clock, {day}" if len(date) > 12 else day
