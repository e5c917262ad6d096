"""Names of raters are text: Markdown in a name made every visitor's browser call a host."""

import re

import pytest

from terraseek_app.widgets.plain_text import as_markdown


@pytest.mark.parametrize(
    "name",
    ["![x](http://h.example/a.png)", "[x](http://h.example)", "www.h.example", ":material/home:",
     "$x^2$", "<b>x</b>", "a@h.example", "**x**", "`x`", "\\", "#x"],
)  # fmt: skip
def test_all_punctuation_is_escaped(name: str) -> None:
    drawn = as_markdown(name)
    assert re.sub(r"\\(.)", r"\1", drawn) == name
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\.", "", drawn))


def test_names_without_punctuation_are_unchanged() -> None:
    assert as_markdown("Ana Müller 2") == "Ana Müller 2"
