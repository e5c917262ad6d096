"""Parts of the query: words, images and items, each with a weight, and how one is removed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from terraseek.parameters import parameters_of
from terraseek.search import Query
from terraseek.search.query import Weights
from terraseek_app.pages.explore.state import SearchForm, reset_keys

__all__ = [
    "WEIGHT_FIELDS",
    "Kind",
    "Part",
    "drop_part",
    "part_weights",
    "query_parts",
    "query_title",
    "read_weights",
    "set_weight",
    "without",
]

Kind = Literal["text", "image", "item", "minus", "liked", "disliked"]
"""What a part is; `liked` and `disliked` are all votes of that sign together."""

WEIGHT_FIELDS: dict[Kind, str] = {
    "text": "text_weight",
    "image": "image_weight",
    "item": "item_weight",
    "minus": "minus_weight",
    "liked": "liked_weight",
    "disliked": "disliked_weight",
}
"""Field of `Query` with the weights of each kind."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the query."""

    kind: Kind
    value: str
    """Sentence, item id or token of an uploaded image; the number of votes for votes."""
    weight: float
    """Factor of its vector."""
    key: str
    """Name of its weight in the session; the sentences in the search bar keep theirs."""

    @property
    def default_weight(self) -> float:
        """Weight of a new part of this kind."""
        return _default_weight(self.kind)


def query_parts(form: SearchForm) -> list[Part]:
    """All parts of the query, those that count for it first."""
    weights = dict(form.weights)
    votes = {"liked": form.liked, "disliked": form.disliked}
    counts = {name: [str(len(ids))] if ids else [] for name, ids in votes.items()}
    values: list[tuple[Kind, Sequence[str]]] = [
        ("text", [sentence for sentence in (form.text, *form.plus) if sentence]),
        ("image", form.images),
        ("item", form.likes),
        ("liked", counts["liked"]),
        ("disliked", counts["disliked"]),
        ("minus", form.minus),
    ]
    parts = []
    for kind, texts in values:
        for number, value in enumerate(texts):
            key = _weight_key(kind, value, number)
            weight = weights.get(key, _default_weight(kind))
            parts.append(Part(kind, value, weight, key))
    return parts


def query_title(form: SearchForm) -> str:
    """The query in a few words, for the title of the page; blank without a query."""
    texts = {"image": "a picture", "item": "an item", "liked": "votes", "disliked": ""}
    words = [texts.get(part.kind, part.value) for part in query_parts(form) if part.kind != "minus"]
    unwanted = [f"not {sentence}" for sentence in form.minus]
    return ", ".join(filter(None, [*words, *unwanted])) if form.has_query else ""


def part_weights(form: SearchForm) -> dict[str, Any]:
    """Fields of `Query` with the weights of all parts; one number where they are equal."""
    found: dict[Kind, list[float]] = {}
    for part in query_parts(form):
        found.setdefault(part.kind, []).append(part.weight)
    return {
        WEIGHT_FIELDS[kind]: weights[0] if len(set(weights)) == 1 else tuple(weights)
        for kind, weights in found.items()
    }


def read_weights(
    form: SearchForm, values: dict[str, Any], notes: list[str]
) -> tuple[tuple[str, float], ...]:
    """Weights by key, from the fields of a `Query`; those that fit no part are reported.

    Args:
        form: the parts.
        values: fields of a `Query` by name.
        notes: collects a sentence for each field that cannot be used.
    """
    by_kind: dict[Kind, list[Part]] = {}
    for part in query_parts(form):
        by_kind.setdefault(part.kind, []).append(part)
    weights: list[tuple[str, float]] = []
    for kind, field in WEIGHT_FIELDS.items():
        given: Weights | None = values.get(field)
        parts = by_kind.get(kind, [])
        if given is None:
            continue
        each = given if isinstance(given, tuple) else (given,) * len(parts)
        if len(each) != len(parts) or not all(weight >= 0 for weight in each):
            notes.append(
                f"{field} is {given}; give one number from 0 up for all, or one for each of the "
                f"{len(parts)} parts; it was left out."
            )
            continue
        pairs = zip(parts, each, strict=True)
        weights += [(part.key, weight) for part, weight in pairs if weight != part.default_weight]
    return tuple(weights)


def set_weight(key: str, widget: str) -> None:
    """Store the weight that a slider was set to."""
    session = st.session_state
    session.explore_weights = {**session.explore_weights, key: float(session[widget])}


def drop_part(kind: Kind, value: str) -> None:
    """Remove a part and its weight; all other parts stay."""
    session = st.session_state
    weights = session.explore_weights
    session.explore_weights = {k: w for k, w in weights.items() if k != f"{kind}:{value}"}
    if kind in ("liked", "disliked"):
        reset_keys(f"explore_{kind}")
    elif kind == "image":
        session.explore_pictures = _without(session.explore_pictures, value)
    elif kind == "item":
        session.explore_likes = _without(session.explore_likes, value)
    else:
        field, more = _SENTENCE_KEYS[kind]
        if session[field].strip() == value:
            session[field] = next(iter(session[more]), "")
            session[more] = session[more][1:]
        else:
            session[more] = _without(session[more], value)


def without(form: SearchForm, keys: Sequence[str]) -> SearchForm:
    """The form without the images and items whose parts have these keys."""
    return replace(
        form,
        images=tuple(
            v for n, v in enumerate(form.images) if _weight_key("image", v, n) not in keys
        ),
        likes=tuple(v for n, v in enumerate(form.likes) if _weight_key("item", v, n) not in keys),
    )


_SENTENCE_KEYS: dict[str, tuple[str, str]] = {
    "text": ("explore_text", "explore_plus"),
    "minus": ("explore_minus", "explore_more_minus"),
}
"""Session keys of the sentence in the search bar and of the further ones."""


def _weight_key(kind: Kind, value: str, number: int) -> str:
    # the sentence in the bar may be edited and keeps its weight
    in_bar = number == 0 and kind in _SENTENCE_KEYS
    return kind if in_bar or kind in ("liked", "disliked") else f"{kind}:{value}"


def _default_weight(kind: Kind) -> float:
    return float(parameters_of(Query)[WEIGHT_FIELDS[kind]].default)


def _without(values: Sequence[str], value: str) -> list[str]:
    return [other for other in values if other != value]
