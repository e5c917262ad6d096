"""Example queries that fit the labels of a catalogue."""

from collections.abc import Sequence

__all__ = ["example_queries", "fitting_label"]

_EXAMPLES = (
    ("airport apron plane", "many planes parked next to a terminal"),
    ("harbour harbor port ship", "ships moored along a pier in a harbour"),
    ("pivot circular crop", "large round green fields"),
    ("stadium", "a stadium with a green pitch"),
    ("tank storage", "white round storage tanks"),
    ("solar", "rows of solar panels"),
    ("tennis court", "blue tennis courts side by side"),
    ("bridge", "a bridge over a wide river"),
    ("residential housing dense", "houses in rows with gardens"),
    ("flood damage", "houses standing in brown flood water"),
    ("forest", "dense green forest"),
    ("highway motorway interchange", "a motorway crossing farmland"),
    ("sea lake beach", "a lake with a sandy shore"),
    ("industrial", "large industrial halls with grey roofs"),
    ("annualcrop crop pasture", "fields of different colours"),
    ("river", "a river winding through fields"),
)
"""(words to look for in the catalogue's labels, query)."""


def example_queries(labels: Sequence[str], limit: int = 6) -> list[str]:
    """Queries about things that the labels mention; general queries when none fits."""
    fitting = [query for words, query in _EXAMPLES if _first_about(words, labels) is not None]
    return (fitting or [query for _, query in _EXAMPLES])[:limit]


def fitting_label(query: str, labels: Sequence[str]) -> str | None:
    """A label that an example query is about; None if there is none."""
    return _first_about(next((words for words, text in _EXAMPLES if text == query), ""), labels)


def _first_about(words: str, labels: Sequence[str]) -> str | None:
    """The first label with a word that begins with one of `words`, separated by spaces."""
    starts = tuple(words.split())
    for label in labels if starts else ():
        if any(part.startswith(starts) for part in label.lower().replace("_", " ").split()):
            return label
    return None
