"""Names of raters are text: Markdown in a name made every visitor's browser call a host."""

import re

import pytest

from terraseek_app.plain_text import as_markdown, sentence_as_markdown


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


@pytest.mark.parametrize(
    "name",
    ["![x](http://h.example/a.png)", "[x](http://h.example)", "www.h.example", ":material/home:",
     "$x^2$", "<b>x</b>", "a@h.example", "**x**", "`x`", ":red[x]", "~~x~~"],
)  # fmt: skip
def test_a_sentence_with_a_name_has_no_markdown(name: str) -> None:
    from markdown_it import MarkdownIt

    drawn = sentence_as_markdown(f"the name {name} is taken;\n\n# choose another")
    html = MarkdownIt("gfm-like", {"linkify": False}).render(f"**No.** {drawn}")
    assert html.count("<") == 4, html  # <p>, <strong>
    assert re.sub(r"\\(.)", r"\1", drawn) == f"the name {name} is taken; # choose another"
    assert not re.search(r"(?<!\\)[:$@]|www\.", drawn)
