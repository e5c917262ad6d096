"""Text contrast on both themes is at least 4.5 to 1 (WCAG 2.2), computed from the style files."""

import re
import tomllib
from importlib.resources import files

import pytest

from terraseek_app.theme import THEME_FILE

LEAST = 4.5
APP = files("terraseek_app")
SHEETS = ("theme/app.css", "widgets/gallery.css", "pages/review/page.css")
THEMES = tomllib.loads(THEME_FILE.read_text("utf-8"))["theme"]
PAIR = r"light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)"

Colour = tuple[float, float, float]


def rgb(colour: str) -> Colour:
    r, g, b = bytes.fromhex(colour.removeprefix("#"))
    return r, g, b


def luminance(colour: Colour) -> float:
    parts = [c / 255 for c in colour]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def over(glass: tuple[float, ...], behind: Colour) -> Colour:
    *front, alpha = glass
    r, g, b = (f * alpha + c * (1 - alpha) for f, c in zip(front, behind, strict=True))
    return r, g, b


def test_contrast_formula_matches_wcag() -> None:
    assert contrast(rgb("#000000"), rgb("#ffffff")) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_of_theme_text_and_links(theme: str) -> None:
    colours = THEMES[theme]
    for ink in ("textColor", "linkColor"):
        for paper in ("backgroundColor", "secondaryBackgroundColor"):
            assert contrast(rgb(colours[ink]), rgb(colours[paper])) >= LEAST, (ink, paper)
    assert contrast(rgb(colours["codeTextColor"]), rgb(colours["codeBackgroundColor"])) >= LEAST


@pytest.mark.parametrize("sheet", SHEETS)
def test_contrast_in_our_stylesheets(sheet: str) -> None:
    text = APP.joinpath(sheet).read_text("utf-8")
    checked = 0
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
        ink = re.search(rf"(?<![-\w])color: {PAIR}", body)
        if ink is None:
            continue
        paper = re.search(rf"background: {PAIR}", body)
        for column, theme in enumerate(("light", "dark"), 1):
            own = [paper.group(column)] if paper else _papers(theme)
            for behind in own:
                found = contrast(rgb(ink.group(column)), rgb(behind))
                assert found >= LEAST, (selector.strip(), theme, behind, round(found, 2))
                checked += 1
    assert checked > 3


def _papers(theme: str) -> list[str]:
    return [THEMES[theme][name] for name in ("backgroundColor", "secondaryBackgroundColor")]


@pytest.mark.parametrize("rule", [".ts-world", ".ts-world.ts-day"])
def test_contrast_of_map_panels_over_any_image(rule: str) -> None:
    text = APP.joinpath("map/static/component.css").read_text("utf-8")
    match = re.search(rf"^{re.escape(rule)} \{{(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    assert match is not None
    values = dict(re.findall(r"--(\w+): ([^;]+);", match.group(1)))
    for pane in ("glass", "solid", "faint"):
        glass = tuple(float(part) for part in re.findall(r"[\d.]+", values[pane]))
        for behind in ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)):
            for ink in ("text", "quiet"):
                found = contrast(rgb(values[ink]), over(glass, behind))
                assert found >= LEAST, (pane, ink, behind, round(found, 2))
