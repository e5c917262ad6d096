"""Pages over damaged files: one line says what is wrong, without folders of the server."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.page_steps import Open, page_text
from terraseek_app.server import state
from terraseek_app.server.settings import Settings


def _damage_items(catalogue: Path) -> None:
    for copy in catalogue.glob(".items*"):
        copy.unlink()
    items = catalogue / "items.parquet"
    items.write_bytes(items.read_bytes()[:200])


def _damage_manifest(catalogue: Path) -> None:
    for manifest in (catalogue / "embeddings").rglob("manifest.json"):
        manifest.write_text("[" * 100_000)


def _damage_reviews(catalogue: Path) -> None:
    (catalogue / "reviews.sqlite").write_bytes(b"no database " * 500)


def _folder_for_reviews(catalogue: Path) -> None:
    (catalogue / "reviews.sqlite").unlink(missing_ok=True)  # another test may have reviewed
    (catalogue / "reviews.sqlite").mkdir()


FAULTS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "items damaged": (_damage_items, ("explore", "review")),
    "manifest is deep JSON": (_damage_manifest, ("explore",)),
    "review log damaged": (_damage_reviews, ("review",)),
    "review log is a folder": (_folder_for_reviews, ("review",)),
}
PAGES = ("explore", "localize", "review", "about")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_page_with_a_fault(
    fault: str, open_page: Open, world: Settings, tmp_path: Path
) -> None:
    assert world.catalogue is not None
    copy = tmp_path / "my copy"
    shutil.copytree(world.catalogue, copy)
    change, affected = FAULTS[fault]
    change(copy)
    state.reset(replace(world, catalogue=copy, uploads=tmp_path / "up"))
    for name in PAGES:
        page = open_page(name, **({"q": "red"} if name == "explore" else {}))
        shown = re.sub(r"\\(.)", r"\1", page_text(page))  # without the escapes of Markdown
        assert str(tmp_path) not in shown, name
        assert str(world.catalogue.parent) not in shown, name
        assert "Traceback" not in shown
        assert "unexpected" not in shown, (name, shown)
        if name in affected:
            lines = [error.value for error in page.error]
            assert len(lines) == 1, (name, lines)
            assert len(lines[0].splitlines()) == 1


def test_values_of_an_address_are_drawn_as_text(open_page: Open) -> None:
    evil = "![x](http://h.example/a.png)"
    page = open_page("explore", q="red", bbox=evil, sql=evil, like=evil)
    drawn = [one.value for one in (*page.error, *page.warning, *page.info, *page.markdown)]
    assert any("h.example" in text for text in drawn)
    assert not any("![x](" in text for text in drawn)
    page = open_page("review", rater="n" * 5000)
    assert not page.error
