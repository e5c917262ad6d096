"""Facts out of RS5M's metadata captions, which are read and never guessed.

An RS3 caption is a metadata sentence drawn from some hundred templates, one space, and a generated
sentence about what is seen (methods: paper appendix B9). Each fact is found by what stands around
it in any template, so that templates nobody has seen are read, too; a fact that is not said is not
given. Only the metadata part is read: what the generated sentence claims is a model's opinion.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from terraseek.catalogue.metadata.countries import country_names
from terraseek.catalogue.metadata.gazetteer import split_zone
from terraseek.catalogue.metadata.labels import find_label
from terraseek.review.flags import restore_degrees

__all__ = ["MetaCaption", "parse_metadata_caption", "split_caption"]

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
_LEADING = "above across adorned around at during from in near of on over overlooking surveying"
_PARTICLES = frozenset(["al", "el", "le", "la", "les", "los", "las", "de", "den", "het", "ad"])
_LEADS = frozenset(_LEADING.split())


@dataclass(frozen=True, slots=True)
class MetaCaption:
    """What a metadata caption says; None or empty where it does not."""

    metadata: str
    """The metadata part, degree signs restored."""
    sentence: str
    """The generated sentence."""
    place: str = ""
    """Name of a place; `?` where the source lost a letter."""
    country: str = ""
    """Country as it is written."""
    season: str = ""
    """Spring, Summer, Fall or Winter, by northern months wherever the image is."""
    captured_at: str = ""
    """ISO 8601 to the hour (`2016-03-28T09`), or to the day where no hour is given."""
    gsd_m: float | None = None
    """Metres a pixel."""
    utm: str = ""
    """UTM zone and letter."""
    utm_kind: str = ""
    """What the letter means: `band` (MGRS latitude band) or `hemisphere` (north or south)."""
    cloud_percent: float | None = None
    """Share of clouds, 0 to 100."""
    scan_direction: str = ""
    """forward or reverse."""
    azimuth_deg: float | None = None
    """Target azimuth, 0 to 360 degrees."""
    off_nadir_deg: float | None = None
    """Off-nadir angle, 0 to 90 degrees."""
    label: str = ""
    """Class or classes as written, several divided by `, `."""
    relative_location: str = ""
    """Where in the image the object is: one or two of 3x3 cells (`center and top-left`)."""


def split_caption(text: str) -> tuple[str, str]:
    """Metadata part and generated sentence; the first is empty if the text is no metadata caption.

    The metadata ends with the sentence that holds the last time, zone or angle.
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


def parse_metadata_caption(text: str) -> MetaCaption | None:
    """Read a caption, or None if it is none of RS5M's metadata captions.

    Args:
        text: the caption; degree signs may be lost.
    """
    metadata, sentence = split_caption(text)
    if not metadata:
        return None
    metadata = restore_degrees(metadata)
    place, country, span = _place(metadata)
    moment, month = _moment(metadata)
    gsd = _gsd(metadata)
    azimuth, off_nadir = _angle(_AZIMUTH, metadata, 360), _angle(_OFF_NADIR, metadata, 90)
    utm = _only({(m[1] or m[2]).upper() for m in _UTM.finditer(metadata)})
    utm = utm if split_zone(utm) else ""
    # BigEarthNet gives the hemisphere, and neither country nor resolution nor angles
    bare = not country and gsd is None and azimuth is None
    clouds = {m[1] for m in _PERCENT.finditer(metadata)} if "cloud" in metadata else set()
    blocks = _BLOCKS.search(metadata)
    return MetaCaption(
        metadata,
        sentence,
        place,
        country,
        _season(metadata, span, month),
        moment,
        gsd,
        utm,
        "" if not utm else "hemisphere" if bare and utm[-1] in "NS" else "band",
        _number(clouds, 100),
        _only(set(_SCAN.findall(metadata))) if _SCANNER.search(metadata) else "",
        azimuth,
        off_nadir,
        find_label(metadata[: span[0]] + " " + metadata[span[1] :]),
        " and ".join(cell for cell in blocks.groups() if cell) if blocks else "",
    )


@cache
def _country_rules() -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = "|".join(map(re.escape, country_names()))
    after = r"(?=[ ,.;']|$)"
    leads = "|".join(sorted(_LEADS))
    return re.compile(rf", ({names}){after}"), re.compile(rf"\b(?:{leads}) ({names}){after}")


def _place(metadata: str) -> tuple[str, str, tuple[int, int]]:
    """Place, country, and where both stand; a country may stand alone."""
    after_comma, alone = _country_rules()
    found = after_comma.search(metadata)
    if found is None:
        found = alone.search(metadata)
        return ("", found[1], found.span(1)) if found else ("", "", (0, 0))
    start = _place_start(metadata, found.start())
    if start is None:
        return "", found[1], found.span(1)
    return metadata[start : found.start()], found[1], (start, found.end(1))


def _place_start(metadata: str, end: int) -> int | None:
    """Where the name that ends at `end` begins, or None.

    Templates are written in lower case, so it begins with the first capital that is no season's.
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
    """Begin earlier where small words of the name stand before its first capital (`el Prat`)."""
    while before := metadata[:start].split():
        if before[-1] not in _PARTICLES:
            break
        start = metadata.rindex(before[-1], 0, start)
    return start


def _season(metadata: str, place: tuple[int, int], month: int | None) -> str:
    """The season said outside the place's name; of several, the one the month has."""
    outside = metadata[: place[0]] + " " + metadata[place[1] :]
    said = {"Fall" if name == "Autumn" else name for name in _SEASON.findall(outside)}
    if len(said) > 1 and month is not None:
        said &= {_SEASON_OF[month - 1]}
    return _only(said)


def _moment(metadata: str) -> tuple[str, int | None]:
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
    said = {
        m[1]
        for part in re.split(r"(?<=[^\d])\. ", metadata)
        if re.search(r"ground sample distance|pixel|resolution", part)
        for m in _METRES.finditer(part)
    }
    return _number(said, 100_000)


def _angle(rule: re.Pattern[str], metadata: str, most: float) -> float | None:
    return _number({m[1] for m in rule.finditer(metadata)}, most)


def _number(said: set[str], most: float) -> float | None:
    """The one number that was said, if it is possible."""
    if len(said) != 1:
        return None
    value = float(said.pop())
    return value if value <= most else None


def _only(said: set[str]) -> str:
    return said.pop() if len(said) == 1 else ""
