"""Two rankings to compare: of two searches, or of one search with two models."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qs

import streamlit as st

from terraseek.errors import InputError, TerraSeekError
from terraseek.parameters import Params
from terraseek_app.address import SPLIT, first_value
from terraseek_app.map import SecondMap, Split, parse_split
from terraseek_app.pages.explore import link
from terraseek_app.pages.explore.history.panel import search_title
from terraseek_app.pages.explore.hits.cut import Cut, shown_hits
from terraseek_app.pages.explore.results import map_markers
from terraseek_app.pages.explore.search import ResultList, model_names, run_search
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.server import state

__all__ = ["MODEL", "Comparison", "compare_results", "first_markers", "restore_split", "second_map"]

MODEL = "model"
"""Name of the parameter that stands for another model instead of another search."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is shown, and what it is compared with."""

    titles: tuple[str, str]
    rankings: tuple[ResultList, ResultList]
    cut: Cut = field(default_factory=Cut)
    """Which of the hits of both are shown; always the best first, since ranks are compared."""

    @property
    def shown(self) -> tuple[ResultList, ResultList]:
        """Both rankings without the hits that do not pass the cut."""
        first, second = (_cut(ranking, self.cut) for ranking in self.rankings)
        return first, second

    @property
    def ids(self) -> tuple[list[str], list[str]]:
        """Ids of the hits shown of both, best first."""
        first, second = ([hit.item_id for hit in ranking.hits] for ranking in self.shown)
        return first, second

    @property
    def cut_text(self) -> str:
        """What the cut left on both sides, as a sentence; blank without a cut."""
        conditions = ["that are significant"] if self.cut.only_significant else []
        if self.cut.min_score is not None:
            conditions.append(f"with a score of at least {self.cut.min_score:.3f}")
        if not conditions:
            return ""
        pairs = zip(self.shown, self.rankings, strict=True)
        counts = " and ".join(f"{len(left.hits)} of {len(all_.hits)}" for left, all_ in pairs)
        return f"On both sides only hits {' and '.join(conditions)}: {counts}."

    def sides(self) -> dict[str, Literal["first", "second", "both"]]:
        """Id of each hit -> which of the rankings have it."""
        first, second = map(set, self.ids)
        return {
            item_id: "second" if item_id not in first else "both" if item_id in second else "first"
            for item_id in first | second
        }


def compare_results(
    form: SearchForm, results: ResultList | None, cut: Cut
) -> Comparison | TerraSeekError | None:
    """The comparison that the user asked for.

    Args:
        form: the form values of what is shown.
        results: its hits; None without a search.
        cut: of the hits of both.

    Returns:
        Both rankings, or what is wrong with the other one; None if nothing is compared.
    """
    text = st.session_state.explore_compare
    if not text or results is None:
        return None
    try:
        titles, other = _other_results(form, parse_qs(text))
    except TerraSeekError as error:
        return error
    return Comparison(titles, (results, other), replace(cut, order="score"))


def _cut(ranking: ResultList, cut: Cut) -> ResultList:
    return replace(ranking, hits=tuple(shown_hits(ranking.hits, ranking.facts, cut)))


def _other_results(form: SearchForm, params: Params) -> tuple[tuple[str, str], ResultList]:
    """Titles of both rankings, and the hits of the other one."""
    if MODEL in params:
        name = params[MODEL][0]
        if name not in model_names():
            raise InputError(f"the catalogue is not embedded with the model {name!r}")
        titles = (f"model {state.settings().model}", f"model {name}")
        return titles, run_search(form, model=name)
    other, _, notes = link.from_params(params)
    if notes or not other.has_query:
        raise InputError("the search to compare with cannot be read; choose another one")
    other = replace(other, k=form.k)
    return (search_title(form), search_title(other)), run_search(other)


def restore_split(params: Params, notes: list[str]) -> None:
    """Keep how a link shows the two maps; what cannot be used is reported."""
    text = first_value(params, SPLIT)
    if text and parse_split(text) is None:
        notes.append(f"{SPLIT} is {text!r}; give sides, or a number from 0 to 1; it was left out.")
        text = ""
    st.session_state.explore_split = text


def first_markers(comparison: Comparison) -> list[dict[str, Any]]:
    """Markers of the first map, with the side of each; those without a place have none."""
    return _markers(comparison, comparison.shown[0])


def second_map(comparison: Comparison) -> SecondMap:
    """The second map, with the split of the link."""
    split = parse_split(st.session_state.explore_split) or Split()
    return SecondMap(comparison.titles, _markers(comparison, comparison.shown[1]), split)


def _markers(comparison: Comparison, ranking: ResultList) -> list[dict[str, Any]]:
    sides = comparison.sides()
    markers = map_markers(ranking.hits, ranking.facts)
    return [marker | {"side": sides[marker["item_id"]]} for marker in markers]
