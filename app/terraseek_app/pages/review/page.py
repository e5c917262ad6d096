"""Review: rate and correct captions, one item at a time, with the keyboard."""

from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.errors import ReviewError
from terraseek.review import Review, ReviewProgress
from terraseek_app.messages import show_error, show_notes
from terraseek_app.navigation import explore_hits
from terraseek_app.pages.review import decisions, link, sign_in
from terraseek_app.pages.review import state as review_state
from terraseek_app.pages.review.form import review_form
from terraseek_app.pages.review.item_panel import caption_panel, item_image, metadata_panel
from terraseek_app.pages.review.queue import QUEUES, next_in_queue
from terraseek_app.server import state
from terraseek_app.widgets.page_link import page_link

__all__ = ["render"]

_CSS = Path(__file__).with_name("page.css")


def render() -> None:
    """Draw the page."""
    st.html(_CSS)
    review_state.setup()
    show_notes(link.restore())
    decisions.apply_decisions()
    log = review_state.review_log()
    session = st.session_state
    sign_in.keep_in_browser()
    if not session.review_name:
        sign_in.ask_rater()
        return
    sign_in.new_key_panel()
    queue = review_state.current_queue()
    _header(log.progress(session.review_name, queue))
    if session.review_error:
        show_error(ReviewError(session.review_error))
    item_id = session.review_item
    if item_id is None and not session.get("review_finished"):
        item_id = next_in_queue(session.review_kind, queue, log, session.review_name)
    if item_id is None:
        _end_of_queue(bool(queue))
        link.update()
        return
    review_state.load_item(item_id)
    item = state.catalogue().item(item_id)
    link.update(str(item.get("caption") or item_id))
    _item(item, log.current_of(item_id, session.review_name))


def _header(progress: ReviewProgress) -> None:
    session = st.session_state
    queue, filters, counts, rater = st.columns(
        [2.4, 1.1, 4.2, 1.6], vertical_alignment="center", gap="medium"
    )
    queues = [name for name in QUEUES if name != "search" or explore_hits()]
    queue.selectbox(
        "Queue", queues, format_func=QUEUES.__getitem__, key="review_kind",
        label_visibility="collapsed", on_change=review_state.start_queue, persist_state="session",
    )  # fmt: skip
    chosen = sum(map(bool, (session.get("review_sources"), session.get("review_labels"))))
    with filters.popover(
        f"Filter ({chosen})" if chosen else "Filter", icon=":material/tune:", width="stretch"
    ):
        for name, options in (
            ("sources", state.catalogue().sources),
            ("labels", state.catalogue().labels),
        ):
            st.multiselect(
                name.capitalize(), list(options), key=f"review_{name}", placeholder="all",
                on_change=review_state.start_queue, persist_state="session",
            )  # fmt: skip
    counts.html(_progress_html(progress))
    with rater:
        page_link("review_link")
        sign_in.rater_menu()


def _progress_html(progress: ReviewProgress) -> str:
    total = max(progress.total, 1)
    skipped = f", {progress.skipped:,} skipped" if progress.skipped else ""
    counts = f"<b>{progress.done:,}</b> of {progress.total:,}{skipped}"
    detail = f"{progress.accepted} accepted · {progress.edited} edited · {progress.rated} rated"
    bars = "".join(
        f'<i class="{name}" style="width:{100 * count / total:.2f}%"></i>'
        for name, count in (("done", progress.done), ("skipped", progress.skipped))
    )
    text = f'<span class="ts-quiet">{counts} &nbsp; {detail}</span>'
    return f'{text}<div class="ts-progress">{bars}</div>'


def _end_of_queue(has_items: bool) -> None:
    if has_items:
        st.success(
            "**You have seen every item of this queue.** Choose another one above, for example "
            "the items you skipped.",
            icon=":material/task_alt:",
        )
    else:
        st.info(
            "**This queue is empty.** Choose another one above, clear the filter, or search in "
            "Explore: its hits become a queue here.",
            icon=":material/inbox:",
        )


def _item(item: dict[str, Any], record: Review | None) -> None:
    left, right = st.columns([1, 1.12], gap="medium")
    with left:
        item_image(item)
        metadata_panel(item)
    with right:
        text = str(item.get("caption") or "")
        caption_panel(text, decisions.item_flags(item), record)
        review_form(str(item["item_id"]), text, record is not None)
