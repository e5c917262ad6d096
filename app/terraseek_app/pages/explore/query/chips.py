"""Chips below the search bar: parts of the query and filters, each removed by a click."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from terraseek.display import shortened
from terraseek.errors import TerraSeekError
from terraseek_app.pages.explore.areas import box_text, circle_text
from terraseek_app.pages.explore.query.parts import Part, drop_part, query_parts, set_weight
from terraseek_app.pages.explore.state import SearchForm, reset_keys
from terraseek_app.plain_text import as_markdown
from terraseek_app.server import state
from terraseek_app.upload_names import upload_names
from terraseek_app.widgets.thumbnails import thumbnail_url, upload_url

__all__ = ["chip_row"]

_TEXT_LENGTH = 40
"""Characters of a sentence, a caption or an SQL condition shown on a chip."""
_THUMBNAIL_SIDE = 64
_MAX_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class _Chip:
    label: str
    """Markdown."""
    key: str
    drop: Callable[..., None]
    args: tuple[Any, ...]
    is_wrong: bool = False


def chip_row(form: SearchForm, problems: Mapping[str, str]) -> bool:
    """Draw the chips; returns whether there are any.

    Args:
        form: the form values. A sentence alone is in the search bar and needs no chip.
        problems: messages about parts of the query, by their key.
    """
    parts = query_parts(form)
    if [part.kind for part in parts] == ["text"] and parts[0].weight == parts[0].default_weight:
        parts = []
    chips = [_part_chip(part, number, problems) for number, part in enumerate(parts)]
    chips += [
        _Chip(label, f"explore_drop_{keys[0]}", reset_keys, keys)
        for label, keys in [*_option_chips(form), *_area_chips(form), *_filter_chips(form)]
    ]
    chips += [*_shape_chips(form), *_column_chips(form)]
    if not chips:
        return False
    with st.container(
        horizontal=True, gap="small", vertical_alignment="center", key="explore_tags"
    ):
        for chip in chips:
            st.button(
                chip.label,
                key=chip.key,
                icon=":material/error:" if chip.is_wrong else ":material/close:",
                icon_position="right",
                help="Remove this",
                on_click=chip.drop,
                args=chip.args,
            )
        if len(parts) > 1:
            _weights(parts)
        st.button("Clear all", key="explore_clear", type="tertiary", on_click=reset_keys)
    return True


def _part_chip(part: Part, number: int, problems: Mapping[str, str]) -> _Chip:
    weight = "" if part.weight == part.default_weight else f" · weight {part.weight:g}"
    key = f"explore_drop_{part.kind}_{number}"
    if part.kind in ("liked", "disliked"):
        key = f"explore_drop_explore_{part.kind}"
    label = f"{_part_label(part)}{weight}"
    return _Chip(label, key, drop_part, (part.kind, part.value), part.key in problems)


def _part_label(part: Part) -> str:
    if part.kind == "image":
        name = upload_names().get(part.value, "your picture")
        text = f"like {as_markdown(shortened(name, _TEXT_LENGTH))}"
        return f"![]({upload_url(part.value, _THUMBNAIL_SIDE)}) {text}"
    if part.kind == "item":
        text = f"like {as_markdown(shortened(_caption(part.value), _TEXT_LENGTH))}"
        return f"![]({thumbnail_url(part.value, _THUMBNAIL_SIDE)}) {text}"
    if part.kind in ("liked", "disliked"):
        votes = f"{part.value} picture{'' if part.value == '1' else 's'}"
        return f"{'more' if part.kind == 'liked' else 'less'} like {votes}"
    text = as_markdown(shortened(part.value, _TEXT_LENGTH))
    return text if part.kind == "text" else f"not {text}"


def _caption(item_id: str) -> str:
    """Caption of an item in the catalogue; its id without one."""
    try:
        return str(state.catalogue().item(item_id).get("caption") or f"item {item_id}")
    except TerraSeekError:
        return f"item {item_id}"


def _weights(parts: Sequence[Part]) -> None:
    """Draw a slider for the weight of each part."""
    with st.popover("Weights", icon=":material/balance:", type="tertiary", key="explore_weighing"):
        st.caption("How much each part counts. 0 leaves it out.")
        for number, part in enumerate(parts):
            widget = f"explore_weight_{number}_{part.key}"
            st.slider(
                _part_label(part),
                0.0,
                max(_MAX_WEIGHT, part.weight),
                value=part.weight,
                step=0.05,
                key=widget,
                on_change=set_weight,
                args=(part.key, widget),
            )


def _option_chips(form: SearchForm) -> list[tuple[str, tuple[str, ...]]]:
    chips: list[tuple[str, tuple[str, ...]]] = []
    if form.captions:
        chips.append((f"captions count {form.captions} %", ("explore_captions",)))
    if form.ensemble:
        chips.append(("many prompts", ("explore_ensemble",)))
    return chips


def _area_chips(form: SearchForm) -> list[tuple[str, tuple[str, ...]]]:
    chips: list[tuple[str, tuple[str, ...]]] = []
    if form.box:
        chips.append((f"area {box_text(form.box)}", ("explore_box",)))
    if form.circle:
        keys = ("explore_lon", "explore_lat", "explore_km")
        chips.append((f"within {circle_text(form.circle)}", keys))
    return chips


def _shape_chips(form: SearchForm) -> list[_Chip]:
    """One chip for each polygon, which removes that one."""
    return [
        _Chip(
            f"shape of {len(ring)} corners",
            f"explore_drop_polygon_{number}",
            _drop_shape,
            (number,),
        )
        for number, ring in enumerate(form.polygons)
    ]


def _drop_shape(number: int) -> None:
    left = st.session_state.explore_polygons
    st.session_state.explore_polygons = [*left[:number], *left[number + 1 :]]


def _column_chips(form: SearchForm) -> list[_Chip]:
    """One chip for each column with conditions."""
    values: dict[str, list[str]] = {}
    for text in form.columns:
        name, _, value = text.partition("=")
        values.setdefault(name, []).append(value.replace("..", " to ") or "unknown")
    return [
        _Chip(
            as_markdown(shortened(f"{name} {' or '.join(texts)}", _TEXT_LENGTH)),
            f"explore_drop_column_{name}",
            _drop_column,
            (name,),
        )
        for name, texts in values.items()
    ]


def _drop_column(name: str) -> None:
    session = st.session_state
    kept = [text for text in session.explore_columns if text.partition("=")[0] != name]
    session.explore_columns = kept


def _filter_chips(form: SearchForm) -> list[tuple[str, tuple[str, ...]]]:
    chips: list[tuple[str, tuple[str, ...]]] = []
    if form.where:
        where = as_markdown(shortened(form.where, _TEXT_LENGTH))
        chips.append((f"where {where}", ("explore_sql",)))
    if form.sources:
        chips.append((as_markdown(f"source {' or '.join(form.sources)}"), ("explore_sources",)))
    if form.labels:
        chips.append((as_markdown(f"label {' or '.join(form.labels)}"), ("explore_labels",)))
    if form.date_from or form.date_to:
        span = f"{form.date_from or 'any day'} to {form.date_to or 'any day'}"
        chips.append((span, ("explore_from", "explore_to")))
    if form.with_coordinates:
        chips.append(("known coordinates", ("explore_placed",)))
    if form.collapse_duplicates:
        chips.append(("no near-duplicates", ("explore_distinct",)))
    if form.extra:
        words = ", ".join(f"{name} {' or '.join(texts)}" for name, texts in form.extra)
        chips.append((as_markdown(words), ("explore_extra",)))
    return chips
