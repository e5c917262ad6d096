"""Review: one image and its caption at a time, judged with the keyboard."""

from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.review import Review, ReviewProgress
from terraseek_app.pages.review import state as act
from terraseek_app.pages.review.card import caption, item_image, place
from terraseek_app.pages.review.keys import keyboard
from terraseek_app.pages.review.queue import KINDS, following
from terraseek_app.pages.review.scores import criteria
from terraseek_app.server import state

__all__ = ["render"]

_CSS = Path(__file__).with_name("page.css")


def render() -> None:
    """Draw the page."""
    st.html(_CSS)
    act.setup()
    act.settle()
    log = act.log()
    session = st.session_state
    if not session.review_name:
        _ask_name(log.raters(imported=False))
        return
    queue = act.current_queue()
    _header(log.progress(session.review_name, queue))
    if session.review_error:
        st.error(session.review_error, icon=":material/error:")
    item_id = session.review_item
    if item_id is None and not session.get("review_finished"):
        item_id = following(session.review_kind, queue, log, session.review_name)
    if item_id is None:
        _nothing_left(bool(queue))
        return
    act.begin(item_id)
    _item(state.catalogue().item(item_id), log.current_of(item_id, session.review_name))


def _ask_name(known: list[str]) -> None:
    st.space("large")
    middle = st.columns([1, 1.4, 1])[1]
    with middle, st.container(border=True, key="review_start"):
        st.html('<p class="ts-hero">Review captions</p>')
        st.html(
            '<span class="ts-quiet">Judge one picture and its caption at a time. Every decision is '
            "kept under your name, nothing is ever overwritten, and several people can work at "
            "once.</span>"
        )
        st.text_input(
            "Your name", key="review_rater", max_chars=60, on_change=act.set_rater,
            placeholder="as it should stand beside your reviews",
        )  # fmt: skip
        st.button("Start", type="primary", on_click=act.set_rater, key="review_go")
        if known:
            with st.container(horizontal=True, gap="small"):
                for number, name in enumerate(known[:8]):
                    st.button(
                        name, key=f"review_known_{number}", on_click=act.set_rater, args=(name,),
                        icon=":material/person:",
                    )  # fmt: skip


def _header(progress: ReviewProgress) -> None:
    session = st.session_state
    kind, filters, numbers, rater = st.columns(
        [2.4, 1.1, 4.2, 1.6], vertical_alignment="center", gap="medium"
    )
    kinds = [k for k in KINDS if k != "search" or session.get("explore_hits")]
    kind.selectbox(
        "Queue", kinds, format_func=KINDS.__getitem__, key="review_kind",
        label_visibility="collapsed", on_change=act.queue_changed, persist_state="session",
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
                on_change=act.queue_changed, persist_state="session",
            )  # fmt: skip
    numbers.html(_progress_html(progress))
    rater.button(
        session.review_name, icon=":material/person:", type="tertiary", width="stretch",
        on_click=act.change_rater, help="Somebody else is reviewing", key="review_change",
    )  # fmt: skip


def _progress_html(progress: ReviewProgress) -> str:
    total = max(progress.total, 1)
    skipped = f", {progress.skipped:,} skipped" if progress.skipped else ""
    words = f"<b>{progress.done:,}</b> of {progress.total:,}{skipped}"
    detail = f"{progress.accepted} accepted · {progress.edited} edited · {progress.rated} rated"
    bars = "".join(
        f'<i class="{name}" style="width:{100 * count / total:.2f}%"></i>'
        for name, count in (("done", progress.done), ("skipped", progress.skipped))
    )
    text = f'<span class="ts-quiet">{words} &nbsp; {detail}</span>'
    return f'{text}<div class="ts-progress">{bars}</div>'


def _nothing_left(any_items: bool) -> None:
    if any_items:
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


def _item(item: dict[str, Any], before: Review | None) -> None:
    left, right = st.columns([1, 1.12], gap="medium")
    with left:
        item_image(item)
        place(item)
    with right:
        text = str(item.get("caption") or "")
        caption(text, act.flags_of(item), before)
        _form(str(item["item_id"]), text, before is not None)


@st.fragment
def _form(item_id: str, text: str, again: bool) -> None:
    """The part that changes with every key; as a fragment it keeps up with fast fingers."""
    if act.is_wanted():
        st.rerun()
    if st.session_state.review_editing:
        _editor(item_id)
        return
    keyboard(item_id)
    with st.container(key="review_criteria"):
        criteria(item_id)
    st.text_input(
        "Comment", key="review_comment", placeholder="Comment (optional)", max_chars=2000,
        label_visibility="collapsed", icon=":material/chat:",
    )  # fmt: skip
    _actions(item_id, text, again)


def _editor(item_id: str) -> None:
    st.text_area("Your caption", key="review_text", height=170, max_chars=2000)
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Save caption", type="primary", on_click=act.want, args=(item_id, "edit"),
            icon=":material/save:", key="review_save",
        )  # fmt: skip
        st.button("Cancel", on_click=act.cancel_edit, shortcut="Esc", key="review_cancel")


def _actions(item_id: str, text: str, again: bool) -> None:
    with st.container(horizontal=True, gap="small", key="review_actions"):
        if text.strip():
            _step(
                "Accept", "accept", item_id, "A", main=True,
                tip="The caption is right as it stands; the scores are kept with it",
            )  # fmt: skip
        st.button("Edit", shortcut="E", on_click=act.start_edit, args=(text,), key="review_edit")
        if st.session_state.review_scores:
            tip = "Keep the scores without accepting the caption"
            _step("Scores only", "rate", item_id, "N", tip=tip)
        if again:
            _step("Keep", "keep", item_id, "S", tip="Leave your record as it stands and go on")
            tip = "Your record no longer counts; it stays in the history"
            _step("Take back", "retract", item_id, None, tip=tip)
        else:
            _step("Skip", "skip", item_id, "S", tip="Decide later; skipped items have a queue")
        _step("Back", "back", item_id, "B", tip="The item before this one")
    if text.strip():
        # a button has one shortcut; this one is not drawn and lends Accept the Enter key
        with st.container(key="review_enter"):
            _step("Accept, too", "accept", item_id, "Enter", key="review_accept_enter")


def _step(
    label: str, step: act.Step, item_id: str, shortcut: str | None,
    *, tip: str | None = None, main: bool = False, key: str | None = None,
) -> None:  # fmt: skip
    st.button(
        label,
        key=key or f"review_{step}",
        type="primary" if main else "secondary",
        shortcut=shortcut,
        help=tip,
        on_click=act.want,
        args=(item_id, step),
    )
