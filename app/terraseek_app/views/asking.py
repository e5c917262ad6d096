"""Asking a scene: the work is queued, watched, cancelled, and its heat map kept for the page."""

from functools import partial
from pathlib import Path

import streamlit as st

from terraseek.errors import Cancelled, LatticeError, TerraSeekError
from terraseek.progress import Progress
from terraseek_app import state
from terraseek_app.messages import say
from terraseek_app.views.jobs import Job, Jobs
from terraseek_app.views.localize_state import remember

__all__ = ["ask", "collect", "parse_scales", "sentences_of", "time_left", "watch"]

PATIENCE = 0.8
"""Seconds a run waits for the answer itself; a scene encoded before answers in milliseconds."""
WORKERS = 2
"""Scenes asked at the same time; more would only fight for the cores."""


def _jobs() -> Jobs[tuple[str, ...]]:
    return state.shared().once("localize_jobs", lambda: Jobs[tuple[str, ...]](WORKERS))


def parse_scales(text: str) -> tuple[int, ...]:
    """Window sides in pixels, for example `128, 256`; empty leaves the choice to the method.

    Raises:
        LatticeError: something else than whole numbers of at least 8.
    """
    parts = text.replace(";", ",").replace(" ", ",").split(",")
    parts = [part for part in parts if part]
    if not all(part.isdecimal() and 8 <= int(part) <= 65536 for part in parts):
        raise LatticeError(
            f"window sizes {text!r} must be whole numbers of pixels from 8 up, e.g. 128, 256"
        )
    return tuple(int(part) for part in parts)


def sentences_of(text: str) -> list[str]:
    """What a semicolon separates is asked one by one, of a scene that is encoded once."""
    return [part.strip() for part in text.split(";") if part.strip()] or [text]


def ask(path: Path, source: str, text: str, minus: str, scales: tuple[int, ...]) -> None:
    """Start localizing a sentence in a scene; the answer is taken up by `collect`."""
    work = partial(_localize, path, text, minus, scales)
    job = _jobs().start(text, work)
    st.session_state.localize_job = job.job_id
    st.session_state.localize_asked = {"source": source, "text": text, "minus": minus}
    job.ready(PATIENCE)


def _localize(
    path: Path, text: str, minus: str, scales: tuple[int, ...], progress: Progress
) -> tuple[str, ...]:
    """Open, localize, keep; gives the id of each sentence's heat map."""
    from terraseek.localization import LocalizeOptions, localize_many
    from terraseek.scenes import Scene

    options = LocalizeOptions(scales=scales or None, minus=(minus,) if minus else ())
    with Scene.open(path) as scene:
        heats = localize_many(scene, sentences_of(text), state.encoder(), options, progress)
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
        answered = list(zip(sentences_of(asked["text"]), heat_ids, strict=True))
        for sentence, heat_id in reversed(answered):  # the first is shown, the others are listed
            remember(asked["source"], sentence, asked["minus"], heat_id)
    return None


def time_left(seconds: float | None) -> str:
    """The end of the progress line: nothing while unknown, coarse as an estimate deserves."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    return f", about {round(seconds / 60)} min left"


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
