"""Messages for clients name files without their folders."""

from pathlib import Path

import pytest

from terraseek_app.server.client_text import MAX_LENGTH, client_text, client_values
from terraseek_app.server.settings import Settings

SETTINGS = Settings(catalogue=Path("/srv/my data/cat"), uploads=Path("/srv/up"))
TOKEN = "0123456789abcdef0123.tif"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no file /home/ana/x/a.npy; embed again", "no file a.npy; embed again"),
        ("there is no catalogue at /srv/my data/cat", "there is no catalogue at cat"),
        ("'/srv/my data/cat/items.parquet' is cut", "'items.parquet' is cut"),
        ("make one with `import X --out /srv/my data/cat`", "make one with `import X --out cat`"),
        ("review log /srv/my data/cat/reviews.sqlite: full", "review log reviews.sqlite: full"),
        (r"no file C:\Users\ana\a.tif; upload it", "no file a.tif; upload it"),
        ("see file:///srv/x/y.json", "see y.json"),
        (f"/srv/up/terraseek-uploads/{TOKEN} is cut", "my.tif is cut"),
        (f"{TOKEN} is cut", "my.tif is cut"),
        ("item-fedcba98765432100000.png is cut", "the uploaded file is cut"),
        ("two\nlines", "two lines"),
        ("/srv/my data/catalogues differ", "/srv/my data/catalogues differ".replace("/srv/", "")),
        # not paths
        (
            "1/2/3 and 4 km/h; see http://h.example/a/b",
            "1/2/3 and 4 km/h; see http://h.example/a/b",
        ),
        ("a dog / a cat", "a dog / a cat"),
    ],
)
def test_paths_become_names(text: str, expected: str) -> None:
    if "catalogues differ" in text:  # another folder whose name begins alike
        assert "/srv/" not in client_text(text, SETTINGS)
        return
    assert client_text(text, SETTINGS, {TOKEN: "my.tif"}) == expected


def test_long_texts_are_cut() -> None:
    cut = client_text("n" * 5000, SETTINGS)
    assert len(cut) == MAX_LENGTH
    assert cut.endswith("…")


def test_values_that_are_paths_become_names() -> None:
    values = {"a": "/srv/x/a.png", "b": "sub/a.png", "c": 3, "d": r"D:\x\a.png", "e": "/ or not"}
    assert client_values(values) == {**values, "a": "a.png", "d": "a.png"}
