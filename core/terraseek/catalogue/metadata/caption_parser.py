"""Parser of RS5M's metadata captions.

A caption of RS3 is a metadata sentence made from one of about a hundred templates, a space, and a
generated sentence about the image content (Zhang et al., RS5M and GeoRSCLIP, arXiv 2306.11300,
appendix B9). Each fact is recognised by the words around it in any template, so that unknown
templates can be parsed too; a fact that is not stated stays empty. Only the metadata part is
parsed: the generated sentence is the output of a model.
"""

import re
from datetime import datetime
from functools import cache
from typing import NamedTuple

from terraseek.catalogue.metadata.dates import MONTHS
from terraseek.catalogue.metadata.labels import find_label
from terraseek.catalogue.metadata.spacing import single_spaced
from terraseek.catalogue.places.countries import country_names
from terraseek.catalogue.places.text_repair import restore_degrees
from terraseek.catalogue.places.utm import parse_utm_zone

__all__ = ["ParsedCaption", "parse_metadata_caption", "split_caption"]

_SEASON_OF = ("Winter",) * 2 + ("Spring",) * 3 + ("Summer",) * 3 + ("Fall",) * 3 + ("Winter",)


def _words(*names: str) -> dict[str, re.Pattern[str]]:
    """Patterns of whole words, by word; texts that lack its letters need no search."""
    return {name: re.compile(rf"{name}\b(?<!\w{name})") for name in names}


# patterns begin with a letter or digit, not with \b: the engine then skips to the next such letter
_DATE = re.compile(rf"({'|'.join(MONTHS)}) (\d{{1,2}}), (\d{{4}})\b")
_HOUR = re.compile(r"(\d{1,2}) o'clock, $")
_UTM = re.compile(r"[uU][tT][mM] [zZ]one")
_ZONE_AFTER = re.compile(r"s?:? (\d{1,2}[A-Za-z])\b")
_ZONE_BEFORE = re.compile(r"\b(\d{1,2}[A-Za-z]) $")
_ZONE_LENGTH = 4
_AZIMUTH = re.compile(r"target azimuth(?: angle)?(?:[: ]+(?:of|at|is|was))?[: ]+(\d+(?:\.\d+)?)")
_OFF_NADIR = re.compile(r"off-nadir(?: angle)?(?:[: ]+(?:of|at|is|was))?[: ]+(\d+(?:\.\d+)?)")
_NUMBER_BEFORE = re.compile(r"(\d+(?:\.\d+)?)$")
_NUMBER_LENGTH = 12
_SENTENCE_END = re.compile(r"\. (?<=\D\. )")
_METRES = re.compile(r"(\d+(?:\.\d+)?) ?m\b")
_SCANS = _words("forward", "reverse")
_SCANNER = ("scan", "acquisition", "equipment", "sensor")
_SEASON = re.compile(r"(?:Spring|Summer|Autumn|Winter)\b(?<!\w{7})|Fall\b(?<!\w{5})")
_SEASONS = _words("Spring", "Summer", "Autumn", "Winter", "Fall")
_CELL = r"(?:top|center|bottom)(?:-(?:left|center|right))?"
_BLOCKS = re.compile(rf"({_CELL})(?: and ({_CELL}))? blocks?\b")
_END = re.compile(r"[.?!](?:\s+|$)")
_CAPITAL_LETTER = re.compile(r"\?|[^\W\da-z_]")
_WORD = re.compile(r"\S+")
_CAPITAL = re.compile(r"(?!\d{1,2}[A-Z]\b)(?:\?|.*[^\W\da-z_])")
_PLACE_PREPOSITIONS = (
    "above across adorned around at during from in near of on over overlooking surveying"
)
_NAME_PARTICLES = frozenset(["al", "el", "le", "la", "les", "los", "las", "de", "den", "het", "ad"])
_PREPOSITIONS = frozenset(_PLACE_PREPOSITIONS.split())


class ParsedCaption(NamedTuple):
    """Facts that a metadata caption states; None or empty where it does not state them."""

    metadata: str
    """Metadata part, with degree signs restored."""
    sentence: str
    """Generated sentence."""
    place: str = ""
    """Name of a place; `?` where the source lost a letter."""
    country: str = ""
    """Country as the caption spells it."""
    season: str = ""
    """Spring, Summer, Fall or Winter, by the months of the northern hemisphere everywhere."""
    captured_at: str = ""
    """ISO 8601 to the hour (`2016-03-28T09`), or to the day if no hour is stated."""
    gsd_m: float | None = None
    """Ground sample distance, metres per pixel."""
    utm: str = ""
    """UTM zone number and letter."""
    utm_kind: str = ""
    """Meaning of the letter: `band` (MGRS latitude band) or `hemisphere` (north or south)."""
    cloud_percent: float | None = None
    """Cloud cover, 0 to 100 percent."""
    scan_direction: str = ""
    """forward or reverse."""
    azimuth_deg: float | None = None
    """Target azimuth, 0 to 360 degrees."""
    off_nadir_deg: float | None = None
    """Off-nadir angle, 0 to 90 degrees."""
    label: str = ""
    """Class or classes as the caption spells them, separated by `, `."""
    relative_location: str = ""
    """Position of the object in the image: one or two of 3x3 grid cells (`center and top-left`)."""


class _Anchors(NamedTuple):
    """Parts of a metadata caption that a generated sentence does not have."""

    times: list[tuple[str | None, str, str, str]]
    """Hour (or None), month, day and year of each date."""
    zones: list[str]
    """UTM zones."""
    azimuths: list[str]
    off_nadirs: list[str]
    """Angles in degrees."""
    end: int
    """Where the last of them ends."""

    @property
    def number(self) -> int:
        return len(self.times) + len(self.zones) + len(self.azimuths) + len(self.off_nadirs)


def _find_anchors(text: str) -> _Anchors:
    dates = list(_DATE.finditer(text))
    times = []
    for date in dates:
        hour = _HOUR.search(text, max(0, date.start() - 14), date.start())
        times.append((hour[1] if hour else None, date[1], date[2], date[3]))
    zones, ends = _zones(text)
    azimuths, off_nadirs = list(_AZIMUTH.finditer(text)), list(_OFF_NADIR.finditer(text))
    ends += [match.end() for match in (*dates, *azimuths, *off_nadirs)]
    return _Anchors(
        times, zones, [m[1] for m in azimuths], [m[1] for m in off_nadirs], max(ends, default=0)
    )


def _zones(text: str) -> tuple[list[str], list[int]]:
    """UTM zones, and where they end: `utm zone 34H` and `34H utm zone`."""
    zones, ends = [], []
    for match in _UTM.finditer(text):
        start, end = match.span()
        if after := _ZONE_AFTER.match(text, end):
            zones.append(after[1].upper())
            ends.append(after.end())
        elif before := _ZONE_BEFORE.search(text, max(0, start - _ZONE_LENGTH), start):
            zones.append(before[1].upper())
            ends.append(end)
    return zones, ends


def split_caption(text: str) -> tuple[str, str]:
    """Split a caption into its metadata part and its generated sentence.

    The metadata ends with the sentence that contains the last time, zone or angle; it is empty if
    the text is not a metadata caption.
    """
    text = single_spaced(text)
    return _split(text, _find_anchors(text))


def _split(text: str, anchors: _Anchors) -> tuple[str, str]:
    if anchors.number < 2 or not _SEASON.search(text):
        return "", text
    end = _END.search(text, anchors.end)
    # a lost degree sign looks like the end of a question: "21.48?. a satellite image"
    while end is not None and text[end.start()] == "?" and text[end.start() - 1].isdigit():
        end = _END.search(text, end.start() + 1)
    if end is None:
        return text, ""
    return text[: end.start() + 1], text[end.end() :]


def parse_metadata_caption(text: str, is_metadata: bool = False) -> ParsedCaption | None:
    """Parse a caption; None if it is not a metadata caption of RS5M.

    Args:
        text: the caption; degree signs may have become question marks.
        is_metadata: the text comes from a column of metadata captions, so that it is one even if it
            states only a country or a time, as those of YFCC and RedCaps do. The words of such a
            short caption are not taken for a class.
    """
    text = single_spaced(text)
    anchors = _find_anchors(text)
    metadata, sentence = _split(text, anchors)
    is_long = bool(metadata)
    if not metadata:
        if not is_metadata or not text:
            return None
        metadata, sentence = text, ""
    metadata = restore_degrees(metadata)
    place, country, span = _place(metadata)
    captured_at, month = _capture_time(anchors)
    gsd = _gsd(metadata)
    azimuth, off_nadir = (
        _unique_number(set(anchors.azimuths), 360),
        _unique_number(set(anchors.off_nadirs), 90),
    )
    utm = _unique(set(anchors.zones))
    utm = utm if parse_utm_zone(utm) else ""
    # BigEarthNet states the hemisphere, and neither country nor resolution nor angles
    is_bigearthnet = not country and gsd is None and azimuth is None
    clouds = _percentages(metadata) if "cloud" in metadata else set()
    blocks = _BLOCKS.search(metadata)
    return ParsedCaption(
        metadata,
        sentence,
        place,
        country,
        _season(metadata, span, month),
        captured_at,
        gsd,
        utm,
        "" if not utm else "hemisphere" if is_bigearthnet and utm[-1] in "NS" else "band",
        _unique_number(clouds, 100),
        _scan_direction(metadata),
        azimuth,
        off_nadir,
        find_label(metadata[: span[0]] + " " + metadata[span[1] :]) if is_long else "",
        " and ".join(cell for cell in blocks.groups() if cell) if blocks else "",
    )


@cache
def _country_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = "|".join(map(re.escape, country_names()))
    after = r"(?=[ ,.;']|$)"
    prepositions = "|".join(sorted(_PREPOSITIONS))
    return re.compile(rf", ({names}){after}"), re.compile(rf"\b(?:{prepositions}) ({names}){after}")


def _place(metadata: str) -> tuple[str, str, tuple[int, int]]:
    """Place, country, and the span of both in the text; the place may be missing."""
    after_comma, alone = _country_patterns()
    found = after_comma.search(metadata)
    if found is None:
        found = alone.search(metadata)
        return ("", found[1], found.span(1)) if found else ("", "", (0, 0))
    start = _place_start(metadata, found.start())
    if start is None:
        return "", found[1], found.span(1)
    return metadata[start : found.start()], found[1], (start, found.end(1))


def _place_start(metadata: str, end: int) -> int | None:
    """Start of the name that ends at `end`, or None.

    Templates are in lower case, so the name starts at the first capital that is not a season's.
    """
    capital = _CAPITAL_LETTER.search(metadata, 0, end)
    if capital is None:
        return None
    first = metadata.rfind(" ", 0, capital.start()) + 1
    for word in _WORD.finditer(metadata, first, end):
        if not _CAPITAL.match(word[0]) or word[0].rstrip(",") in MONTHS:
            continue
        following = metadata[word.end() : end].strip()
        season = _SEASON.fullmatch(word[0].rstrip(",'s")) is not None
        # "Fall of Novosibirsk" is a season and a place, "Fall River" and "Winter" are places
        if season and re.match(r"[a-z]", following):
            continue
        return _with_particles(metadata, word.start())
    return None


def _with_particles(metadata: str, start: int) -> int:
    """Move the start to include lower-case words before the first capital (`el Prat`)."""
    while True:
        before = metadata[:start].rstrip()
        word = before[before.rfind(" ") + 1 :]
        if word not in _NAME_PARTICLES:
            return start
        start = metadata.rindex(word, 0, start)


def _season(metadata: str, place: tuple[int, int], month: int | None) -> str:
    """Season stated outside the place name; of several, the one that fits the month."""
    start, end = place
    stated = {
        "Fall" if name == "Autumn" else name
        for name, word in _SEASONS.items()
        if name in metadata
        and any(not start <= found.start() < end for found in word.finditer(metadata))
    }
    if len(stated) > 1 and month is not None:
        stated &= {_SEASON_OF[month - 1]}
    return _unique(stated)


def _capture_time(anchors: _Anchors) -> tuple[str, int | None]:
    found = set(anchors.times)
    if len(found) != 1:
        return "", None
    hour, name, day, year = found.pop()
    month = MONTHS.index(name) + 1
    try:
        moment = datetime(int(year), month, int(day), int(hour or 0))
    except ValueError:
        return "", None
    return moment.isoformat()[: 13 if hour else 10], month


def _gsd(metadata: str) -> float | None:
    if not _is_about_scale(metadata):
        return None
    stated = {
        m[1]
        for part in _SENTENCE_END.split(metadata)
        if _is_about_scale(part)
        for m in _METRES.finditer(part)
        if part[m.start() - 1 : m.start()] != "."
    }
    return _unique_number(stated, 100_000)


def _is_about_scale(text: str) -> bool:
    return "ground sample distance" in text or "pixel" in text or "resolution" in text


def _scan_direction(metadata: str) -> str:
    if not any(word in metadata for word in _SCANNER):
        return ""
    return _unique(
        {name for name, word in _SCANS.items() if name in metadata and word.search(metadata)}
    )


def _percentages(metadata: str) -> set[str]:
    before = metadata.split("%")[:-1]
    return {m[1] for part in before if (m := _NUMBER_BEFORE.search(part[-_NUMBER_LENGTH:]))}


def _unique_number(stated: set[str], most: float) -> float | None:
    """The number, if exactly one is stated and it is at most `most`."""
    if len(stated) != 1:
        return None
    value = float(stated.pop())
    return value if value <= most else None


def _unique(stated: set[str]) -> str:
    return stated.pop() if len(stated) == 1 else ""
