"""Order and cuts of the hits shown, which are part of the link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.parameters import NUMBER, Parameter, Params
from terraseek.search import Hit
from terraseek.search.ranking import ORDERS, refine
from terraseek.search.ranking.refine import Order
from terraseek_app.address import first_value
from terraseek_app.pages.explore.hits.facts import HitFacts
from terraseek_app.pages.explore.state import reset_keys

__all__ = ["Cut", "cut_panel", "read_cut", "restore_cut", "shown_hits"]

_TITLES = {"score": "best first", "date": "latest first", "place": "by place"}


@dataclass(frozen=True, slots=True)
class Cut:
    """Which of the hits are shown, in which order."""

    order: Order = "score"
    only_significant: bool = False
    min_score: float | None = None

    def to_params(self) -> dict[str, str]:
        """Parameters of the link; defaults are left out."""
        params: dict[str, str] = {} if self.order == "score" else {"sort": self.order}
        params |= {"significant": "1"} if self.only_significant else {}
        return params | ({} if self.min_score is None else {"min_score": f"{self.min_score:.4g}"})


def read_cut() -> Cut:
    """The cut in the session."""
    session = st.session_state
    return Cut(session.explore_order, session.explore_significant, session.explore_min_score)


def restore_cut(params: Params, notes: list[str]) -> None:
    """Set the session to the cut of a link; what cannot be used is reported."""
    order, score = (first_value(params, name) for name in ("sort", "min_score"))
    if order and order not in ORDERS:
        notes.append(f"sort is {order!r}; there are {', '.join(ORDERS)}; it was left out.")
        order = ""
    known = Parameter("min_score", "", NUMBER, None)
    try:
        lowest = known.read(score) if score else None
    except TerraSeekError as error:
        notes.append(f"{error}; it was left out.")
        lowest = None
    st.session_state.update(
        explore_order=order or "score",
        explore_significant="1" in params.get("significant", ()),
        explore_min_score=lowest,
    )


def shown_hits(hits: Sequence[Hit], facts: Mapping[str, HitFacts], cut: Cut) -> list[Hit]:
    """The hits that pass the cut, in its order."""
    keys = {
        item_id: one.date if cut.order == "date" else one.place for item_id, one in facts.items()
    }
    return refine(
        hits,
        cut.order,
        keys=keys,
        min_score=cut.min_score,
        only_significant=cut.only_significant,
    )


def cut_panel(hits: Sequence[Hit], n_shown: int, cut: Cut) -> None:
    """Draw the menu with order and cuts.

    Args:
        hits: all hits.
        n_shown: how many of them pass the cut.
        cut: the cut in the session.
    """
    if not hits:
        return
    is_cut = n_shown < len(hits)
    label = f"{n_shown} of {len(hits)}" if is_cut else "Sort"
    with st.popover(label, icon=":material/sort:", type="tertiary", key="explore_sorting"):
        st.segmented_control(
            "Order", ORDERS, format_func=_TITLES.__getitem__, key="explore_order", required=True
        )
        known = any(hit.significant is not None for hit in hits)
        st.toggle(
            "Only significant hits",
            key="explore_significant",
            disabled=not known,
            help=None if known else "This model has no calibration for this kind of query.",
        )
        _score_slider(hits, cut)
        st.caption(f"{n_shown} of {len(hits)} hits are shown.")
        if cut != Cut():
            st.button("Show all", on_click=reset_keys, args=CUT_KEYS, key="explore_uncut")


CUT_KEYS = ("explore_order", "explore_significant", "explore_min_score")
"""Session keys of the cut."""


def _score_slider(hits: Sequence[Hit], cut: Cut) -> None:
    scores = [hit.score for hit in hits]
    low, high = min(scores), max(scores)
    if high - low < 1e-6:
        return
    widget = f"explore_cut_{low:.4f}_{high:.4f}"
    # the session keeps a cut that other hits would put outside the slider's range
    value = min(max(low if cut.min_score is None else cut.min_score, low), high)
    st.slider(
        "Lowest score",
        low,
        high,
        value=value,
        step=(high - low) / 100,
        format="%.3f",
        key=widget,
        on_change=_set_min_score,
        args=(widget, low),
    )


def _set_min_score(widget: str, low: float) -> None:
    chosen = cast(Any, st.session_state[widget])
    st.session_state.explore_min_score = None if chosen <= low else float(chosen)
