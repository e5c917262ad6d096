"""Figures of the catalogue's statistics: months, resolution, UTM zones, and the long tail."""

from itertools import cycle
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["bars", "long_tail", "stats_figures"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MAX_ZONES = 40
"""UTM zones shown, those with the most items."""
_HEIGHT = 260
"""CSS pixels."""
_COLOURS = ("#0891b2", "#d97706")


def stats_figures(stats: dict[str, Any]) -> None:
    """Draw the figures; those without data are left out.

    Args:
        stats: counts as `catalogue_stats` returns them.
    """
    months = {name: stats["month"].get(str(n), 0) for n, name in enumerate(_MONTHS, start=1)}
    zones = {name: n for name, n in stats["utm_zone"].items() if name}
    figures = {
        "by month": bars(months) if any(months.values()) else None,
        "by resolution": bars({k: n for k, n in stats["gsd"].items() if k}),
        f"by UTM zone, the {_MAX_ZONES} largest": bars(dict(list(zones.items())[:_MAX_ZONES])),
        "long tail: labels and countries by rank": long_tail(
            {name: stats[name] for name in ("label", "country")}
        ),
    }
    shown = [(title, figure) for title, figure in figures.items() if figure is not None]
    columns = st.columns(2) if shown else []
    for number, (title, figure) in enumerate(shown):
        with columns[number % 2]:
            st.html(f'<p class="ts-title">{title}</p>')
            st.plotly_chart(figure, key=f"about_stats_{number}", config={"displayModeBar": False})


def bars(counts: dict[str, int]) -> "go.Figure | None":
    """A bar chart of the counts, in their order; None without counts."""
    if not counts:
        return None
    import plotly.graph_objects as go

    heights = list(counts.values())
    figure = go.Figure(go.Bar(x=list(counts), y=heights, marker_color=_COLOURS[0]))
    figure.update_xaxes(type="category")
    return _apply_layout(figure, "items")


def long_tail(groups: dict[str, dict[str, int]]) -> "go.Figure | None":
    """Number of items of each value by rank, on logarithmic axes; None if no value is known.

    Args:
        groups: name of a column -> (value -> number of items); the empty value is left out.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for colour, (name, counts) in zip(cycle(_COLOURS), groups.items(), strict=False):
        known = sorted(((n, key) for key, n in counts.items() if key), reverse=True)
        if known:
            figure.add_scatter(
                x=list(range(1, len(known) + 1)),
                y=[n for n, _ in known],
                text=[key for _, key in known],
                mode="lines+markers",
                name=name,
                line_color=colour,
                hovertemplate="%{text}: %{y:,}<extra></extra>",
            )
    if not figure.data:
        return None
    figure.update_xaxes(type="log", title="rank")
    figure.update_yaxes(type="log")
    return _apply_layout(figure, "items")


def _apply_layout(figure: "go.Figure", title: str) -> "go.Figure":
    figure.update_layout(height=_HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8}, bargap=0.15)
    # the margins are narrow; automargin adds the space that the axis labels need
    figure.update_yaxes(title=title, automargin=True)
    figure.update_xaxes(automargin=True)
    return figure
