"""Commands `delete`, `compact` and `duplicates`, run in one process."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, import_source
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import CatalogueNotFoundError, ConfigError, FilterError, ItemNotFoundError


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    folder = tmp_path / "pics"
    folder.mkdir()
    for seed in range(5):
        pixels = np.random.default_rng(seed % 4).integers(0, 256, (4, 4, 3), np.uint8)
        large = Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC)
        large.save(folder / f"{seed}.png")
    import_source(folder, tmp_path / "cat")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    return tmp_path / "cat"


def run(*arguments: str | Path) -> dict[str, object]:
    done = CliRunner().invoke(build_app(), [*map(str, arguments), "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_delete_undo_compact(catalogue: Path):
    one, two, *_ = Catalogue.open(catalogue).items()["item_id"]
    assert run("delete", catalogue, "--ids", f"{one},{two}") == {"deleted": 2}
    assert run("delete", catalogue, "--sql", "image = '4.png'") == {"deleted": 1}
    assert run("delete", catalogue, "--undo", "--ids", two) == {"restored": 1}
    assert run("stats", catalogue)["items"] == 3
    assert run("compact", catalogue) == {"dropped": 2, "stores": ["fake"], "unusable": []}
    assert run("compact", catalogue)["dropped"] == 0
    assert run("delete", catalogue, "--undo") == {"restored": 0}


def test_duplicates(catalogue: Path):
    assert run("duplicates", catalogue) == {"pairs": 1, "groups": 1, "marked": 1}
    assert run("duplicates", catalogue, "--cosine", "0.99999", "--bits", "0")["marked"] == 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("delete", "CAT"), ConfigError, "say what to delete"),
        (("delete", "CAT", "--undo", "--sql", "1=1"), ConfigError, "--undo restores"),
        (("delete", "CAT", "--ids", "nosuch"), ItemNotFoundError, "nothing changed"),
        (("delete", "CAT", "--where", "nosuch = 1"), FilterError, "nosuch"),
        (("duplicates", "CAT", "--cosine", "2"), ConfigError, "must be in"),
        (("compact", "CAT/none"), CatalogueNotFoundError, "no catalogue"),
    ],
)
def test_invalid_input(catalogue: Path, arguments, error, words):
    with pytest.raises(error, match=words):
        run(*(text.replace("CAT", str(catalogue)) for text in arguments))
    assert Catalogue.open(catalogue).count == 5
