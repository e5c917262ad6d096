"""Localization as a background job: start it, show its progress, cancel it, collect its result."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.progress import Progress
from terraseek_app.messages import show_error, show_errors
from terraseek_app.pages.localize.form import LocalizeForm
from terraseek_app.pages.localize.state import add_to_history
from terraseek_app.server import state
from terraseek_app.server.sessions import session_watch
from terraseek_app.widgets.background_jobs import Job, JobQueue

if TYPE_CHECKING:
    from terraseek.localization import HeatMap

__all__ = [
    "INITIAL_WAIT_S",
    "collect",
    "compute_heat_maps",
    "job_queue",
    "queue_text",
    "show_progress",
    "start",
    "time_left",
]

INITIAL_WAIT_S = 0.8
"""Seconds a run waits for the result; a scene that is already encoded needs milliseconds."""
WORKERS = 2
"""Scenes localized at the same time; more would compete for the processor cores."""


def job_queue() -> JobQueue[tuple[str, ...]]:
    """The queue of all localizations of the server; results are ids of heat maps."""
    return state.shared().load_once("localize_jobs", lambda: JobQueue[tuple[str, ...]](WORKERS))


def start(path: Path, source: str, form: LocalizeForm) -> None:
    """Start the localization of a scene; `collect` takes its result.

    Args:
        path: the scene's file.
        source: the scene, as in the session key `localize_source`.
        form: the query.

    Raises:
        ServerBusyError: too many questions of others are waiting.
    """
    previous = job_queue().get(st.session_state.localize_job)
    if previous is not None:  # what it has encoded is kept
        previous.cancel_requested.set()
    name = st.session_state.localize_uploads.get(source.removeprefix("upload:"), "")
    partials: list[tuple[str, ...]] = []
    work = partial(compute_heat_maps, path, form, name=name, on_partial=partials.append)
    job = job_queue().start(" ; ".join(form.labels), work, session_watch(), partials)
    st.session_state.localize_job = job.job_id
    st.session_state.localize_partial = []
    # a browser may still load the coarse maps of a question when its answer is there
    state.remove_heats(st.session_state.localize_coarse)
    st.session_state.localize_coarse = []
    st.session_state.localize_asked = {"source": source, "form": asdict(form)}
    job.has_ended(INITIAL_WAIT_S)


def compute_heat_maps(
    path: Path,
    form: LocalizeForm,
    progress: Progress,
    name: str = "",
    on_partial: Callable[[tuple[str, ...]], None] | None = None,
) -> tuple[str, ...]:
    """Localize in the scene, keep the heat maps in the shared state, and return their ids.

    Args:
        path: the scene's file.
        form: the query.
        progress: called while windows are encoded.
        name: name of the scene in the heat maps' files; blank: the name of `path`.
        on_partial: called with the ids of the heat maps of the windows encoded so far.
    """
    from terraseek.localization import localize_many
    from terraseek.scenes import Scene

    def keep(heat_maps: "list[HeatMap]") -> tuple[str, ...]:
        named = [replace(one, scene_name=name) if name else one for one in heat_maps]
        return tuple(state.add_heat(one) for one in named)

    def show(heat_maps: "list[HeatMap]") -> None:
        if on_partial is not None:
            on_partial(keep(heat_maps))

    queries = form.queries()
    with Scene.open(path) as scene:
        watch = None if on_partial is None else show
        heat_maps = localize_many(
            scene, queries, state.encoder(), form.options, progress, on_partial=watch
        )
    return keep(heat_maps)


def collect() -> Job[tuple[str, ...]] | None:
    """Take the result of the session's job, or show its error.

    Returns:
        The job while it is running; None when it has ended, or there is none.
    """
    job = job_queue().get(st.session_state.localize_job)
    if job is None:
        st.session_state.localize_job = None
        return None
    if not job.has_ended():
        if job.partials:
            st.session_state.localize_partial = list(job.partials[-1])
        return job
    st.session_state.localize_coarse = [one for ids in job.partials for one in ids]
    st.session_state.localize_job = None
    try:
        heat_ids = job.result()
    except TerraSeekError as error:
        show_error(error)
    else:
        _store_result(heat_ids)
    return None


def _store_result(heat_ids: tuple[str, ...]) -> None:
    """Show the heat maps together, and add the question to the history."""
    session = st.session_state
    session.localize_partial = []
    session.localize_heat = heat_ids[0]
    session.localize_heats = list(heat_ids)
    session.localize_fly = None
    session.localize_region = None
    session.localize_threshold = None
    session.localize_unseen = True
    source, values = session.localize_asked["source"], session.localize_asked["form"]
    label = "; ".join(LocalizeForm(**values).labels)
    add_to_history(source, label, values, list(heat_ids))


@st.fragment(run_every=0.5)
def show_progress(job_id: str) -> None:
    """Draw the progress of a job and a button to cancel it; redrawn twice a second."""
    with show_errors():  # a fragment runs again without the page around it
        _show_progress(job_id)


def _show_progress(job_id: str) -> None:
    job = job_queue().get(job_id)
    latest = [] if job is None else list(job.partials[-1:])
    if job is None or job.has_ended() or (latest and list(latest[0]) != _shown_partial()):
        st.rerun()
        return
    count = f" {job.done:,} of {job.total:,}" if job.total else ""
    with st.container(border=True, key="localize_watch"):
        text = f"{job.stage}{count}{time_left(job.remaining_s)}"
        st.progress(job.fraction, text=queue_text(job_queue().waiting_before(job)) or text)
        hint = "A first map comes after about a quarter of the windows."
        if latest:
            hint = "A coarse map; it is refined while you watch."
        st.html(
            f'<span class="ts-quiet">{hint} A scene is encoded once; every further sentence on it '
            "is answered at once.</span>"
        )
        if st.button("Cancel", icon=":material/stop_circle:", key="localize_cancel"):
            job.cancel_requested.set()


def _shown_partial() -> list[str]:
    return list(st.session_state.localize_partial)


def queue_text(before: int) -> str:
    """The place of a waiting job in the queue; blank once nothing is before it."""
    if before <= 0:
        return ""
    return f"waiting: number {before} in the queue"


def time_left(seconds: float | None) -> str:
    """End of the progress line: the remaining time in seconds; blank while unknown."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    minutes, rest = divmod(round(seconds / 10) * 10, 60)
    return f", about {minutes:,} min{f' {rest} s' if rest else ''} left"
