"""Parser of RS5M's metadata captions.

A caption of RS3 is a metadata sentence made from one of about a hundred templates, a space, and a
generated sentence about the image content (Zhang et al., RS5M and GeoRSCLIP, arXiv 2306.11300,
appendix B9). Each fact is recognised by the words around it in any template, so that unknown
templates can be parsed too; a fact that is not stated stays empty. Only the metadata part is
parsed: the generated sentence is the output of a model.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from terraseek.catalogue.metadata.countries import country_names
from terraseek.catalogue.metadata.labels import find_label
from terraseek.catalogue.metadata.text_repair import restore_degrees
from terraseek.catalogue.metadata.utm import parse_utm_zone

__all__ = ["ParsedCaption", "parse_metadata_caption", "split_caption"]

_MONTH_NAMES = (
    "January February March April May June July August September October November December"
)
_MONTHS = _MONTH_NAMES.split()
_SEASON_OF = ("Winter",) * 2 + ("Spring",) * 3 + ("Summer",) * 3 + ("Fall",) * 3 + ("Winter",)
_TIME = re.compile(rf"(?:(\d{{1,2}}) o'clock, )?\b({'|'.join(_MONTHS)}) (\d{{1,2}}), (\d{{4}})\b")
_UTM = re.compile(r"\butm zones?:? (\d{1,2}[A-Z])\b|\b(\d{1,2}[A-Z]) utm zone\b", re.IGNORECASE)
_AZIMUTH = re.compile(r"\btarget azimuth(?: angle)?(?:[: ]+(?:of|at|is|was))?[: ]+(\d+(?:\.\d+)?)")
_OFF_NADIR = re.compile(r"\boff-nadir(?: angle)?(?:[: ]+(?:of|at|is|was))?[: ]+(\d+(?:\.\d+)?)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")
_METRES = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) ?m\b")
_SCAN = re.compile(r"\b(forward|reverse)\b")
_SCANNER = re.compile(r"\b(?:scan|acquisition|equipment|sensors?\b)")
_SEASON = re.compile(r"\b(Spring|Summer|Fall|Autumn|Winter)\b")
_CELL = r"(?:top|center|bottom)(?:-(?:left|center|right))?"
_BLOCKS = re.compile(rf"\b({_CELL})(?: and ({_CELL}))? blocks?\b")
_END = re.compile(r"[.?!](?:\s+|$)")
_CAPITAL = re.compile(r"(?!\d{1,2}[A-Z]\b)(?:\?|.*[^\W\da-z_])")
_PLACE_PREPOSITIONS = (
    "above across adorned around at during from in near of on over overlooking surveying"
)
_NAME_PARTICLES = frozenset(["al", "el", "le", "la", "les", "los", "las", "de", "den", "het", "ad"])
_PREPOSITIONS = frozenset(_PLACE_PREPOSITIONS.split())


@dataclass(frozen=True, slots=True)
class ParsedCaption:
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


def split_caption(text: str) -> tuple[str, str]:
    """Split a caption into its metadata part and its generated sentence.

    The metadata ends with the sentence that contains the last time, zone or angle; it is empty if
    the text is not a metadata caption.
    """
    text = " ".join(text.split())
    anchors = [m.end() for rule in (_TIME, _UTM, _AZIMUTH, _OFF_NADIR) for m in rule.finditer(text)]
    if len(anchors) < 2 or not _SEASON.search(text):
        return "", text
    end = _END.search(text, max(anchors))
    # a lost degree sign looks like the end of a question: "21.48?. a satellite image"
    while end is not None and text[end.start()] == "?" and text[end.start() - 1].isdigit():
        end = _END.search(text, end.start() + 1)
    if end is None:
        return text, ""
    return text[: end.start() + 1], text[end.end() :]


def parse_metadata_caption(text: str) -> ParsedCaption | None:
    """Parse a caption; None if it is not a metadata caption of RS5M.

    Args:
        text: the caption; degree signs may have become question marks.
    """
    metadata, sentence = split_caption(text)
    if not metadata:
        return None
    metadata = restore_degrees(metadata)
    place, country, span = _place(metadata)
    captured_at, month = _capture_time(metadata)
    gsd = _gsd(metadata)
    azimuth, off_nadir = _angle(_AZIMUTH, metadata, 360), _angle(_OFF_NADIR, metadata, 90)
    utm = _unique({(m[1] or m[2]).upper() for m in _UTM.finditer(metadata)})
    utm = utm if parse_utm_zone(utm) else ""
    # BigEarthNet states the hemisphere, and neither country nor resolution nor angles
    is_bigearthnet = not country and gsd is None and azimuth is None
    clouds = {m[1] for m in _PERCENT.finditer(metadata)} if "cloud" in metadata else set()
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
        _unique(set(_SCAN.findall(metadata))) if _SCANNER.search(metadata) else "",
        azimuth,
        off_nadir,
        find_label(metadata[: span[0]] + " " + metadata[span[1] :]),
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
    for word in re.finditer(r"\S+", metadata[:end]):
        if not _CAPITAL.match(word[0]) or word[0].rstrip(",") in _MONTHS:
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
    while before := metadata[:start].split():
        if before[-1] not in _NAME_PARTICLES:
            break
        start = metadata.rindex(before[-1], 0, start)
    return start


def _season(metadata: str, place: tuple[int, int], month: int | None) -> str:
    """Season stated outside the place name; of several, the one that fits the month."""
    outside = metadata[: place[0]] + " " + metadata[place[1] :]
    stated = {"Fall" if name == "Autumn" else name for name in _SEASON.findall(outside)}
    if len(stated) > 1 and month is not None:
        stated &= {_SEASON_OF[month - 1]}
    return _unique(stated)


def _capture_time(metadata: str) -> tuple[str, int | None]:
    found = {m.groups() for m in _TIME.finditer(metadata)}
    if len(found) != 1:
        return "", None
    hour, name, day, year = found.pop()
    month = _MONTHS.index(name) + 1
    try:
        moment = datetime(int(year), month, int(day), int(hour or 0))
    except ValueError:
        return "", None
    return moment.isoformat()[: 13 if hour else 10], month


def _gsd(metadata: str) -> float | None:
    stated = {
        m[1]
        for part in re.split(r"(?<=[^\d])\. ", metadata)
        if re.search(r"ground sample distance|pixel|resolution", part)
        for m in _METRES.finditer(part)
    }
    return _unique_number(stated, 100_000)


def _angle(pattern: re.Pattern[str], metadata: str, most: float) -> float | None:
    return _unique_number({m[1] for m in pattern.finditer(metadata)}, most)


def _unique_number(stated: set[str], most: float) -> float | None:
    """The number, if exactly one is stated and it is at most `most`."""
    if len(stated) != 1:
        return None
    value = float(stated.pop())
    return value if value <= most else None


def _unique(stated: set[str]) -> str:
    return stated.pop() if len(stated) == 1 else ""
