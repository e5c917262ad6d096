"""The report of a batch: one HTML page with all rows, their images, and what failed."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from terraseek.display import data_url
from terraseek.files import write_text
from terraseek.localization.batch.results import RowResult
from terraseek.localization.output.colour.palette import css_colour_of_level
from terraseek.localization.output.outlines import area_text
from terraseek.significance.model import Level
from terraseek.significance.words import WORDS
from terraseek.version import __version__

__all__ = ["write_report"]

_TEMPLATE = Path(__file__).parent / "report.html"
_MOST_IMAGES = 400
"""Rows with an image in the page, at about 30 kB each; the others are text."""


def write_report(path: Path, results: Sequence[RowResult], settings: Mapping[str, object]) -> None:
    """Write the page; it loads nothing, and every text in it is escaped.

    Args:
        path: file to write, in the folder to which the thumbnails are relative.
        results: see `ranked`.
        settings: model, options and threshold, for the line below the title.
    """
    done = [one for one in results if one.done]
    scenes = len({one.scene for one in results})
    sentences = len({one.sentence for one in results})
    title = f"{sentences} {_plural('sentence', sentences)} in {scenes} {_plural('scene', scenes)}"
    listed = "; ".join(f"{name}: {value}" for name, value in settings.items() if value)
    page = Template(_TEMPLATE.read_text("utf-8")).substitute(
        title=html.escape(title),
        settings=html.escape(f"{listed}; TerraSeek {__version__}"),
        counts=_counts(results),
        colours=html.escape(_colours(settings)),
        rows="".join(
            _row(rank, one, path.parent if rank <= _MOST_IMAGES else None)
            for rank, one in enumerate(done, 1)
        ),
        failed=_failed([one for one in results if not one.done]),
    )
    write_text(path, page)


def _colours(settings: Mapping[str, object]) -> str:
    """What the colours of the images mean."""
    if settings.get("stretch"):
        return "Colours in the images are stretched to each scene."
    return (
        "Colours in the images show the level, the same in every scene; rows that are not assessed "
        "are stretched to their scene."
    )


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _level(level: Level | None) -> tuple[str, str]:
    """Word and CSS colour of a level."""
    return (WORDS[level] if level else "not assessed"), css_colour_of_level(level)


def _chip(level: Level | None) -> str:
    word, colour = _level(level)
    return f'<span class="chip" style="background:{colour}"></span>{word}'


def _counts(results: Sequence[RowResult]) -> str:
    levels: list[Level | None] = [*WORDS, None]
    counted = [
        (sum(one.done and one.significance == level for one in results), _chip(level))
        for level in levels
    ]
    counted.append((sum(not one.done for one in results), "failed"))
    return "".join(f"<li><b>{n:,}</b>{label}</li>" for n, label in counted if n)


def _row(rank: int, one: RowResult, folder: Path | None) -> str:
    """One card.

    Args:
        rank: place in the order.
        one: the row.
        folder: of the thumbnails; None leaves the image out.
    """
    image = ""
    if folder is not None:
        url = data_url((folder / one.thumbnail).read_bytes(), "image/jpeg")
        image = f'<img src="{url}" alt="Heat map of {html.escape(one.sentence)}" loading="lazy">'
    chance = "" if one.probability is None else f" {100 * one.probability:.0f} %"
    lines = [f"score {one.best_score:.3f} at {_place(one)}", _regions(one)]
    texts = "".join(f'<p class="quiet">{html.escape(line)}</p>' for line in (one.scene, *lines))
    return (
        f"<li>{image}<div>{rank}. {_chip(one.significance)}{chance}"
        f'<p class="sentence">{html.escape(one.sentence)}</p>{texts}</div></li>'
    )


def _place(one: RowResult) -> str:
    if one.lat is None or one.lon is None:
        return f"column {one.col}, row {one.row}"
    return f"{one.lat:.5f}, {one.lon:.5f} (lat, lon)"


def _regions(one: RowResult) -> str:
    size = f"{one.region_area_px:,.0f} px²"
    if one.region_area_m2 is not None:
        size = area_text(one.region_area_m2)
    count = one.regions or 0
    return f"{count} {_plural('region', count)}, {size}"


def _failed(results: Sequence[RowResult]) -> str:
    if not results:
        return ""
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in cells) + "</tr>"
        for cells in ((one.scene, one.sentence, one.reason) for one in results)
    )
    return (
        "<h2>Failed</h2><table><thead><tr><th>scene</th><th>sentence</th><th>reason</th></tr>"
        f"</thead><tbody>{lines}</tbody></table>"
    )
