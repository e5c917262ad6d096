"""Panel for a batch: upload a table, watch the progress, download the ZIP."""

from functools import partial

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.localization import LocalizeOptions
from terraseek_app.messages import show_error, show_errors
from terraseek_app.pages.localize.job import time_left
from terraseek_app.pages.localize.parsing import parse_scales
from terraseek_app.server import state
from terraseek_app.server.scene_batches import BatchZip, read_rows, run_batch
from terraseek_app.server.sessions import session_watch
from terraseek_app.widgets.background_jobs import JobQueue

__all__ = ["batch_panel", "batch_queue"]

_JOB = "localize_batch_job"
_MAX_MB = 5
_KEPT_JOBS = 8
"""Batches whose files are kept on the disk of the server."""


def batch_queue() -> JobQueue[BatchZip]:
    """The queue of all sessions; one batch runs at a time."""
    return state.shared().load_once(
        "batch_jobs", lambda: JobQueue[BatchZip](workers=1, max_jobs=_KEPT_JOBS, max_waiting=4)
    )


def batch_panel() -> None:
    """Draw the panel, collapsed; nothing where the server has no folder of scenes."""
    st.session_state.setdefault(_JOB, None)
    if not state.example_scenes():
        return
    with st.expander("Many sentences, many scenes", icon=":material/table_view:"):
        st.caption(
            "A CSV with the columns scene and text, or text alone for every scene of this server. "
            "The ZIP has a ranked table, the heat maps, a contact sheet and a report."
        )
        upload = st.file_uploader(
            "Table of sentences and scenes",
            type=["csv", "tsv", "txt"],
            key="localize_batch_table",
            label_visibility="collapsed",
            max_upload_size=_MAX_MB,
        )
        job_id = st.session_state[_JOB]
        if upload is not None and st.button(
            "Run the batch", icon=":material/play_arrow:", key="localize_batch_run"
        ):
            job_id = _start(upload.getvalue(), upload.name)
        if job_id is not None:
            _watch(job_id)


def _start(content: bytes, name: str) -> str | None:
    """Queue the table; returns the job's id, or None with an error on the page."""
    try:
        rows = read_rows(content, name)
        options = LocalizeOptions(
            method=st.session_state.localize_method,
            scales=parse_scales(st.session_state.localize_scales or "") or None,
        )
        job = batch_queue().start(name, partial(run_batch, rows, options), session_watch())
    except TerraSeekError as error:
        show_error(error)
        return None
    st.session_state[_JOB] = job.job_id
    return job.job_id


@st.fragment(run_every=1.0)
def _watch(job_id: str) -> None:
    """Draw the progress of the job or its result; redrawn every second."""
    with show_errors():  # a fragment runs again without the page around it
        job = batch_queue().get(job_id)
        if job is None:
            st.info("This batch is no longer kept; run it again.", icon=":material/info:")
            return
        if not job.has_ended():
            st.progress(job.fraction, text=f"{job.stage}{time_left(job.remaining_s)}")
            if st.button("Cancel", icon=":material/stop_circle:", key="localize_batch_cancel"):
                job.cancel_requested.set()
            return
        try:
            made = job.result()
        except TerraSeekError as error:
            show_error(error)
            return
        failed = f", {made.n_failed:,} failed" if made.n_failed else ""
        st.download_button(
            f"Results (ZIP): {made.n_done:,} rows{failed}",
            made.path.read_bytes,
            file_name="batch.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            key="localize_batch_zip",
        )
