"""A catalogue in a notebook."""

import html
from collections.abc import Mapping
from pathlib import Path

__all__ = ["catalogue_html"]


def catalogue_html(
    name: str, folder: Path, n_items: int, n_located: int, sources: Mapping[str, int]
) -> str:
    """Describe a catalogue as an HTML table.

    Args:
        name: name of the catalogue.
        folder: its folder.
        n_items: number of items.
        n_located: number of items with coordinates.
        sources: number of items of each source.
    """
    rows = [
        ("folder", str(folder)),
        ("items", f"{n_items:,}"),
        ("items with coordinates", f"{n_located:,}"),
        *((f"source {source}", f"{count:,} items") for source, count in sorted(sources.items())),
    ]
    cells = "".join(
        f'<tr><th style="text-align:left">{html.escape(title)}</th>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for title, value in rows
    )
    return f"<table><caption>Catalogue {html.escape(name)}</caption>{cells}</table>"
