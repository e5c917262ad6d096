"""Localize the query of Explore in the selected item, as a background job."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.localization import HeatMap
from terraseek.localization.options import LocalizeOptions
from terraseek.progress import Progress
from terraseek_app.messages import show_error
from terraseek_app.pages.explore.state import SearchForm, reset_keys
from terraseek_app.pages.localize.job import INITIAL_WAIT_S, job_queue, show_progress
from terraseek_app.pages.localize.scene_choice import SceneFacts, scene_facts, scene_file
from terraseek_app.server import state
from terraseek_app.server.query_images import item_image, uploaded_image
from terraseek_app.server.sessions import session_watch

if TYPE_CHECKING:
    from terraseek.localization.query import LocalizeQuery

__all__ = ["Spot", "ask", "can_ask", "close", "find_spot"]


@dataclass(frozen=True, slots=True)
class Spot:
    """The heat map of the query in an item."""

    item_id: str
    heat_id: str
    heat: HeatMap
    facts: SceneFacts
    """Of the item's image; its corners are None where it has no place on the globe."""


def can_ask(form: SearchForm) -> bool:
    """Whether the query has a sentence or an image to look for in an item."""
    return _question(form) is not None


def ask(item_id: str) -> None:
    """Show where the query is in an item, from the next run on."""
    session = st.session_state
    session.explore_spot_turn = session.get("explore_spot_turn", 0) + 1
    session.update(explore_spot=item_id, explore_spot_threshold=None, explore_spot_back=0)


def close() -> None:
    """Remove the heat map; the map returns to where it was before."""
    st.session_state.explore_spot_back = st.session_state.get("explore_spot_turn", 0)
    reset_keys("explore_spot", "explore_spot_threshold")


def find_spot(form: SearchForm) -> Spot | None:
    """The heat map that the session asks for; draws progress or an error until there is one.

    Another item or another query asks again; one that was answered before is kept.

    Args:
        form: the form values; what is looked for is its sentence, or else its image or item.
    """
    session = st.session_state
    item_id, question = session.explore_spot, _question(form)
    if not item_id:
        return None
    if item_id != session.explore_selected or question is None:
        reset_keys("explore_spot", "explore_spot_threshold")
        return None
    asked = [item_id, *question]
    try:
        if asked != session.explore_spot_asked:
            _start(item_id, question)
            session.explore_spot_asked = asked
        return _collect(item_id)
    except TerraSeekError as error:
        show_error(error)
        reset_keys("explore_spot", "explore_spot_asked", "explore_spot_job")
        return None


def _question(form: SearchForm) -> tuple[str, str, list[str]] | None:
    """Kind and value of what is looked for, and the unwanted sentences; None without any."""
    minus = list(form.minus)
    sentence = form.text or next(iter(form.plus), "")
    if sentence:
        return "text", sentence, minus
    for kind, values in (("upload", form.images), ("item", form.likes)):
        if values:
            return kind, values[0], minus
    return None


def _query(kind: str, value: str) -> "LocalizeQuery":
    if kind == "upload":
        return uploaded_image(value, "your picture")
    return item_image(value) if kind == "item" else value


def _start(item_id: str, question: tuple[str, str, list[str]]) -> None:
    kind, value, minus = question
    path = scene_file(f"item:{item_id}")
    scene_facts(path, item_id)  # a file that is no image fails here
    options = LocalizeOptions(minus=tuple(minus))
    work = partial(_compute, path, _query(kind, value), options)
    job = job_queue().start(value, work, session_watch())
    st.session_state.update(explore_spot_job=job.job_id, explore_spot_heat=None)
    job.has_ended(INITIAL_WAIT_S)


def _compute(
    path: Path, query: "LocalizeQuery", options: LocalizeOptions, progress: Progress
) -> tuple[str, ...]:
    """Localize, keep the heat map in the shared state, and return its id."""
    from terraseek.localization import localize_many
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        heat_maps = localize_many(scene, [query], state.encoder(), options, progress)
    return tuple(state.add_heat(heat_map) for heat_map in heat_maps)


def _collect(item_id: str) -> Spot | None:
    session: Any = st.session_state
    job = job_queue().get(session.explore_spot_job)
    if job is not None:
        if not job.has_ended():
            show_progress(job.job_id)
            return None
        session.explore_spot_job = None
        (session.explore_spot_heat,) = job.result()
    heat_id = session.explore_spot_heat
    if heat_id is None:
        return None
    path = scene_file(f"item:{item_id}")
    return Spot(item_id, heat_id, state.heat(heat_id), scene_facts(path, item_id))
