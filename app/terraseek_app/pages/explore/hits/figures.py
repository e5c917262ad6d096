"""Figures of the hits: score, month, country, resolution; brushing one cuts or filters."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from terraseek.search import Hit
from terraseek_app.pages.explore.hits.facts import HitFacts

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Choose", "chosen_range", "figures_panel", "hit_counts"]

Choose = Callable[[dict[str, Any]], None]
"""Takes a choice of a column's values, as `filters.facet_rail.choose`."""
Counts = tuple[list[Any], list[int], float]
"""Positions of bars (numbers, or names), their heights, and their width (0 for names)."""

_BINS = 20
_MOST_COUNTRIES = 10
_HEIGHT = 150
_COLOUR = "#2bb3a3"
_TITLES = {
    "score": "score",
    "month": "month",
    "country": "country",
    "gsd_m": "resolution (m per pixel)",
}


def hit_counts(hits: Sequence[Hit], facts: Mapping[str, HitFacts]) -> dict[str, Counts]:
    """Counts of the hits for each figure; those without two different values are left out."""
    known = [facts[hit.item_id] for hit in hits if hit.item_id in facts]
    months = [one.month for one in known if one.month is not None]
    countries: dict[str, int] = {}
    for one in known:
        if one.country:
            countries[one.country] = countries.get(one.country, 0) + 1
    ranked = sorted(countries.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_COUNTRIES]
    found = {
        "score": _histogram([hit.score for hit in hits]),
        "month": (list(range(1, 13)), [months.count(month) for month in range(1, 13)], 1.0),
        "country": ([name for name, _ in ranked], [n for _, n in ranked], 0.0),
        "gsd_m": _histogram([one.gsd_m for one in known if one.gsd_m is not None]),
    }
    return {name: counts for name, counts in found.items() if sum(map(bool, counts[1])) > 1}


def _histogram(values: Sequence[float]) -> Counts:
    if not values or min(values) == max(values):
        return [], [], 0.0
    heights, edges = np.histogram(values, bins=_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    return centres.tolist(), heights.tolist(), float(edges[1] - edges[0])


def figures_panel(hits: Sequence[Hit], facts: Mapping[str, HitFacts], on_choose: Choose) -> None:
    """Draw the figures, folded up at first; what is not looked at is not computed.

    Args:
        hits: the hits shown.
        facts: of each hit, by item id.
        on_choose: called with a choice on a column.
    """
    folded = st.expander(
        "Figures", icon=":material/bar_chart:", key="explore_figures", on_change="rerun"
    )
    if not folded.open:
        return
    counts = hit_counts(hits, facts)
    with folded:
        st.caption("Drag over bars: scores cut the hits, the others filter the catalogue.")
        columns = st.columns(2)
        for number, (name, values) in enumerate(counts.items()):
            key = f"explore_figure_{name}"
            columns[number % 2].plotly_chart(
                _figure(name, values),
                key=key,
                height=_HEIGHT,
                on_select=lambda name=name, key=key, values=values: _brushed(
                    name, key, values, on_choose
                ),
                selection_mode=("box", "points"),
                config={"displayModeBar": False},
                alt=f"Hits by {_TITLES[name]}",
            )


def _figure(name: str, counts: Counts) -> "go.Figure":
    import plotly.graph_objects as go

    positions, heights, width = counts
    bar = go.Bar(x=positions, y=heights, width=width or None, marker_color=_COLOUR)
    figure = go.Figure(bar)
    if not width:
        figure.update_xaxes(type="category")
    figure.update_layout(
        title={"text": _TITLES[name], "font": {"size": 13}},
        margin={"l": 28, "r": 6, "t": 30, "b": 24},
        bargap=0.08,
        dragmode="select",
        selectdirection="h",
        showlegend=False,
    )
    return figure


def _brushed(name: str, key: str, counts: Counts, on_choose: Choose) -> None:
    selection = st.session_state[key].selection
    points = [point["x"] for point in selection.get("points", [])]
    boxes = [box["x"] for box in selection.get("box", [])]
    if name == "country":
        for country in dict.fromkeys(map(str, points)):
            on_choose({"name": name, "text": country})
        return
    span = chosen_range(points, boxes, counts[2])
    if span is None:
        return
    low, high = span
    if name == "score":
        st.session_state.explore_min_score = low
    elif name == "month":
        first, last = max(1, math.ceil(low)), min(12, math.floor(high))
        if first <= last:
            on_choose({"name": name, "text": f"{first}..{last}", "range": True})
    else:
        on_choose({"name": name, "text": f"{low:.4g}..{high:.4g}", "range": True})


def chosen_range(
    points: Sequence[float], boxes: Sequence[Sequence[float]], width: float
) -> tuple[float, float] | None:
    """The interval that a box or clicked bars of a width span; None for an empty selection."""
    if boxes:
        return float(min(boxes[-1])), float(max(boxes[-1]))
    if not points:
        return None
    return min(points) - width / 2, max(points) + width / 2
