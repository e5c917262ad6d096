"""Localization as a background job: start it, show its progress, cancel it, collect its result."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.progress import Progress
from terraseek_app.messages import show_error, show_errors
from terraseek_app.pages.localize.form import LocalizeForm
from terraseek_app.pages.localize.state import add_to_history
from terraseek_app.server import state
from terraseek_app.server.sessions import session_watch
from terraseek_app.widgets.background_jobs import Job, JobQueue

__all__ = ["collect", "compute_heat_maps", "show_progress", "start", "time_left"]

INITIAL_WAIT_S = 0.8
"""Seconds a run waits for the result; a scene that is already encoded needs milliseconds."""
WORKERS = 2
"""Scenes localized at the same time; more would compete for the processor cores."""


def _queue() -> JobQueue[tuple[str, ...]]:
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
    previous = _queue().get(st.session_state.localize_job)
    if previous is not None:  # what it has encoded is kept
        previous.cancel_requested.set()
    name = st.session_state.localize_uploads.get(source.removeprefix("upload:"), "")
    work = partial(compute_heat_maps, path, form, name=name)
    job = _queue().start(" ; ".join(form.labels), work, session_watch())
    st.session_state.localize_job = job.job_id
    st.session_state.localize_asked = {"source": source, "form": asdict(form)}
    job.has_ended(INITIAL_WAIT_S)


def compute_heat_maps(
    path: Path, form: LocalizeForm, progress: Progress, name: str = ""
) -> tuple[str, ...]:
    """Localize in the scene, keep the heat maps in the shared state, and return their ids.

    Args:
        path: the scene's file.
        form: the query.
        progress: called while windows are encoded.
        name: name of the scene in the heat maps' files; blank: the name of `path`.
    """
    from terraseek.localization import localize_many
    from terraseek.scenes import Scene

    queries = form.queries()
    with Scene.open(path) as scene:
        heat_maps = localize_many(scene, queries, state.encoder(), form.options, progress)
    if name:
        heat_maps = [replace(heat_map, scene_name=name) for heat_map in heat_maps]
    return tuple(state.add_heat(heat_map) for heat_map in heat_maps)


def collect() -> Job[tuple[str, ...]] | None:
    """Take the result of the session's job, or show its error.

    Returns:
        The job while it is running; None when it has ended, or there is none.
    """
    job = _queue().get(st.session_state.localize_job)
    if job is None:
        st.session_state.localize_job = None
        return None
    if not job.has_ended():
        return job
    st.session_state.localize_job = None
    try:
        heat_ids = job.result()
    except TerraSeekError as error:
        show_error(error)
    else:
        _store_result(heat_ids)
    return None


def _store_result(heat_ids: tuple[str, ...]) -> None:
    """Show the first heat map, and add all of them to the history."""
    session = st.session_state
    session.localize_heat = heat_ids[0]
    session.localize_fly = None
    session.localize_region = None
    session.localize_threshold = None
    source, values = session.localize_asked["source"], session.localize_asked["form"]
    labelled = list(zip(LocalizeForm(**values).labels, heat_ids, strict=True))
    for label, heat_id in reversed(labelled):  # so that the first comes first in the history
        add_to_history(source, label, values, heat_id)


@st.fragment(run_every=0.5)
def show_progress(job_id: str) -> None:
    """Draw the progress of a job and a button to cancel it; redrawn twice a second."""
    with show_errors():  # a fragment runs again without the page around it
        _show_progress(job_id)


def _show_progress(job_id: str) -> None:
    job = _queue().get(job_id)
    if job is None or job.has_ended():
        st.rerun()
        return
    count = f" {job.done:,} of {job.total:,}" if job.total else ""
    with st.container(border=True, key="localize_watch"):
        st.progress(job.fraction, text=f"{job.stage}{count}{time_left(job.remaining_s)}")
        st.html(
            '<span class="ts-quiet">A scene is encoded once; every further sentence on it is '
            "answered at once.</span>"
        )
        if st.button("Cancel", icon=":material/stop_circle:", key="localize_cancel"):
            job.cancel_requested.set()


def time_left(seconds: float | None) -> str:
    """End of the progress line: the remaining time, rounded; blank while unknown."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    return f", about {round(seconds / 60)} min left"
