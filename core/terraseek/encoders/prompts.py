"""Prompt templates for zero-shot prompt ensembles."""

from functools import cache

from terraseek.errors import QueryError

__all__ = ["PROMPT_SETS", "prompts"]

PROMPT_SETS = ("rs105", "plain")
"""Names of the prompt sets."""

_NOUNS = ("remote sensing image", "aerial image", "satellite image")
_ADJECTIVES = (
    "low resolution",
    "bad",
    "cropped",
    "bright",
    "dark",
    "close-up",
    "black and white",
    "jpeg corrupted",
    "blurry",
    "good",
)
_CLASS_ADJECTIVES = ("large", "nice", "small", "weird", "cool")


@cache
def prompts(kind: str = "rs105") -> tuple[str, ...]:
    """Return templates with `{}` for the class: GeoRSCLIP's 105, or one plain sentence.

    The 105 are 35 templates with three nouns each (RS5M paper, section VI-B): 5 of general form, 20
    with an adjective of the image, 10 with an adjective of the class.

    Raises:
        QueryError: no prompt set of this name.
    """
    if kind == "plain":
        return ("a satellite image of {}",)
    if kind != "rs105":
        raise QueryError(f"there is no prompt set {kind!r}; choose {' or '.join(PROMPT_SETS)}")
    return tuple(sentence for noun in _NOUNS for sentence in _templates(noun))


def _templates(noun: str) -> list[str]:
    start = f"{_article(noun)} {noun}"
    found = [f"{start} of many {{}}.", f"{start} of a {{}}.", f"{start} of the {{}}."]
    found += [f"{start} of the hard to see {{}}.", f"{start} of a hard to see {{}}."]
    for word in _ADJECTIVES:
        described = f"{_article(word)} {word} {noun}"
        found += [f"{described} of the {{}}.", f"{described} of a {{}}."]
    for word in _CLASS_ADJECTIVES:
        found += [f"{start} of the {word} {{}}.", f"{start} of a {word} {{}}."]
    return found


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"
