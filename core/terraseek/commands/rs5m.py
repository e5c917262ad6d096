"""`terraseek stats --rs5m`: the tables of the RS5M paper, counted over a catalogue."""

from pathlib import Path
from typing import Any

from terraseek.commands.console import print_json

__all__ = ["show_rs5m"]

_MOST_ROWS = 15


def show_rs5m(catalogue: Path, ratings: list[Path], as_json: bool) -> None:
    """Print the statistics of a catalogue beside the published ones."""
    from terraseek.catalogue import Catalogue
    from terraseek.catalogue.rs5m_stats import PUBLISHED, rs5m_stats
    from terraseek.review.subset_ratings import PUBLISHED_RATINGS, subset_ratings

    counts = rs5m_stats(Catalogue.open(catalogue))
    if ratings:
        counts["ratings"] = subset_ratings(ratings)
    if as_json:
        published = PUBLISHED | {"ratings": {k: list(v) for k, v in PUBLISHED_RATINGS.items()}}
        print_json(counts | {"published": published})
        return
    _print_subsets(counts["subset"], PUBLISHED["items_by_subset"])
    for title, key in (
        ("country", "country"),
        ("month", "month"),
        ("UTM zone", "utm_zone"),
        ("entity (GPE)", "entity"),
        ("keyword of the selection", "keyword"),
        ("words of a caption", "words"),
    ):
        _print_counts(title, counts[key])
    print(
        f"{counts['with_zone']:,} items with a UTM zone (published {PUBLISHED['with_zone']:,}), "
        f"median {counts['median_images_per_zone']:g} a zone "
        f"({PUBLISHED['median_images_per_zone']})\n"
        f"{counts['with_entities']:,} items with an entity ({PUBLISHED['with_entities']:,} in "
        f"PUB11)\n{counts['with_keyword']:,} captions with a keyword"
    )
    if ratings:
        _print_ratings(counts["ratings"], PUBLISHED_RATINGS)


def _print_subsets(subsets: dict[str, dict[str, float]], published: dict[str, int]) -> None:
    table = _table("subset", "items", "published", "captions", "located", "mean words", "median")
    for name, row in subsets.items():
        table.add_row(
            name or "other",
            f"{row['items']:,}",
            f"{published[name]:,}" if name in published else "",
            f"{row['captions']:,}",
            f"{row['located']:,}",
            f"{row['mean_words']:g}",
            f"{row['median_words']:g}",
        )
    _show(table)


def _print_counts(title: str, counts: dict[str, int]) -> None:
    table = _table(title, "items")
    for name, count in list(counts.items())[:_MOST_ROWS]:
        table.add_row(name or "unknown", f"{count:,}")
    if len(counts) > _MOST_ROWS:
        table.add_row(f"{len(counts) - _MOST_ROWS:,} more", "")
    _show(table)


def _print_ratings(
    found: dict[str, dict[str, Any]], published: dict[str, tuple[int, float, float, float]]
) -> None:
    keys = ("relevance_detail", "hallucination", "fluency")
    table = _table("ratings", "captions", "relevance", "hallucination", "fluency", "published")
    for group, row in found.items():
        means = ["" if row[key]["mean"] is None else f"{row[key]['mean']:.2f}" for key in keys]
        known = published.get(group)
        stated = " / ".join(f"{value:.2f}" for value in known[1:]) if known else ""
        table.add_row(group, f"{row['captions']:,}", *means, stated)
    _show(table)


def _table(*headings: str) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _show(table: Any) -> None:  # noqa: ANN401
    from rich.console import Console

    Console(highlight=False, markup=False, soft_wrap=True).print(table)
    print()
