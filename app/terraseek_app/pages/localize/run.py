"""Asking a scene: the work is queued, watched, cancelled, and its heat map kept for the page."""

from functools import partial
from pathlib import Path

import streamlit as st

from terraseek.errors import Cancelled, TerraSeekError
from terraseek.progress import Progress
from terraseek_app.messages import say
from terraseek_app.pages.localize.parsing import time_left
from terraseek_app.pages.localize.question import Question
from terraseek_app.pages.localize.state import remember
from terraseek_app.server import state
from terraseek_app.widgets.jobs import Job, Jobs

__all__ = ["answer", "ask", "collect", "watch"]

PATIENCE = 0.8
"""Seconds a run waits for the answer itself; a scene encoded before answers in milliseconds."""
WORKERS = 2
"""Scenes asked at the same time; more would only fight for the cores."""


def _jobs() -> Jobs[tuple[str, ...]]:
    return state.shared().once("localize_jobs", lambda: Jobs[tuple[str, ...]](WORKERS))


def ask(path: Path, source: str, question: Question) -> None:
    """Start asking a scene; the answer is taken up by `collect`."""
    job = _jobs().start(" ; ".join(question.wordings), partial(answer, path, question))
    st.session_state.localize_job = job.job_id
    st.session_state.localize_asked = {"source": source, "question": question.plain()}
    job.ready(PATIENCE)


def answer(path: Path, question: Question, progress: Progress) -> tuple[str, ...]:
    """Open, localize, keep; gives the id of each heat map."""
    from terraseek.localization import localize_many
    from terraseek.scenes import Scene

    queries = question.queries()
    with Scene.open(path) as scene:
        heats = localize_many(scene, queries, state.encoder(), question.options, progress)
    return tuple(state.add_heat(heat) for heat in heats)


def collect() -> Job[tuple[str, ...]] | None:
    """Take up the answer of the job, or say why there is none; gives a job still running."""
    job = _jobs().get(st.session_state.localize_job)
    if job is None:
        st.session_state.localize_job = None
        return None
    if not job.ready():
        return job
    st.session_state.localize_job = None
    asked = st.session_state.localize_asked
    try:
        heat_ids = job.result()
    except Cancelled as stopped:
        say(stopped)
    except TerraSeekError as error:
        say(error)
    else:
        st.session_state.localize_heat = heat_ids[0]
        st.session_state.localize_fly = None
        st.session_state.localize_region = None
        question = Question(**asked["question"])
        answered = list(zip(question.wordings, heat_ids, strict=True))
        for words, heat_id in reversed(answered):  # the first is shown, the others are listed
            remember(asked["source"], words, question.plain(), heat_id)
    return None


@st.fragment(run_every=0.5)
def watch(job_id: str) -> None:
    """How far the job is, redrawn twice a second, with a button that stops it."""
    job = _jobs().get(job_id)
    if job is None or job.ready():
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
            job.stop.set()
