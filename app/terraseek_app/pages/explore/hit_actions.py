"""What a click on a hit does: select it, vote on it, or search for similar items."""

import streamlit as st

__all__ = ["search_similar", "select", "vote"]


def select(item_id: str) -> None:
    """Show the card of an item, and mark it on the map and in the gallery."""
    st.session_state.explore_selected = item_id


def search_similar(item_id: str) -> None:
    """Add an item to the query; its other parts stay."""
    session = st.session_state
    session.explore_likes = list(dict.fromkeys([*session.explore_likes, item_id]))


def vote(item_id: str, relevant: bool) -> None:
    """Mark a hit as relevant or not relevant; the same vote again removes it."""
    session = st.session_state
    key, other_key = "explore_liked", "explore_disliked"
    if not relevant:
        key, other_key = other_key, key
    session[other_key] = [item for item in session[other_key] if item != item_id]
    votes = session[key]
    session[key] = (
        [item for item in votes if item != item_id] if item_id in votes else [*votes, item_id]
    )
