"""Commands `import`, `embed`, `search` and `stats`, run as separate processes."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}


def terraseek(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from terraseek.cli import main; main()"]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    lines = ["filename,caption,lat,lon,label"]
    for i, (name, colour) in enumerate(COLOURS.items()):
        Image.fromarray(np.full((9, 9, 3), colour, np.uint8)).save(folder / f"{name}.png")
        lines.append(f"{name}.png,a {name} roof,{40 + i},{-5 - i},{name}")
    (folder / "bad.png").write_bytes(b"junk")
    lines.append("bad.png,broken,1,1,bad")
    (folder / "world.csv").write_text("\n".join(lines))
    out = folder / "cat"
    done = terraseek("import", folder / "world.csv", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)[0]
    assert (report["added"], len(report["broken"]), report["source"]) == (3, 1, "world")
    assert "skipped bad.png" in done.stderr
    done = terraseek("embed", out, "--model", "fake", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["count"] == 3
    return out


@pytest.mark.slow
def test_search_with_every_kind_of_query_and_output(catalogue: Path):
    done = terraseek("search", catalogue, "red", "--json", "-k", "2")
    hits = json.loads(done.stdout)
    shown = ["item_id", "score", "lon", "lat", "caption", "image", "significance", "probability"]
    assert [*hits[0]] == shown
    assert hits[0]["caption"] == "a red roof"
    assert len(hits) == 2
    like = json.loads(terraseek("search", catalogue, "--like", hits[0]["item_id"], "--json").stdout)
    assert len(like) == 2
    image = catalogue.parent / "blue.png"
    found = terraseek("search", catalogue, "--image", image, "--geojson", "--minus", "dark")
    assert json.loads(found.stdout)["features"][0]["properties"]["label"] == "blue"
    boxed = terraseek("search", catalogue, "red", "--bbox", "-6.5,40,-5.5,42", "--csv")
    assert [row["label"] for row in csv.DictReader(io.StringIO(boxed.stdout))] == ["green"]
    shown = terraseek("search", catalogue, "red", "--label", "blue")
    assert "a blue roof" in shown.stdout
    assert "1 of 1 items" in shown.stderr


@pytest.mark.slow
def test_stats(catalogue: Path):
    counts = json.loads(terraseek("stats", catalogue, "--json").stdout)
    assert counts["label"] == {"red": 1, "green": 1, "blue": 1}
    assert "precision: exact 3" in terraseek("stats", catalogue).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "CAT"], "nothing to search for"),
        (["search", "CAT", "red", "--bbox", "1,2,3"], "must be four numbers"),
        (["search", "CAT", "red", "--model", "nobody"], "has no vectors of 'nobody'"),
        (["search", "CAT", "red", "--json", "--csv"], "exclude each other"),
        (["search", "CAT", "--image", "NOWHERE.png"], "no such file"),
        (["search", "CAT", "--like", "x"], "no item 'x'"),
        (["stats", "NOWHERE"], "no catalogue at"),
        (["import", "NOWHERE", "--out", "CAT"], "no such file or folder"),
        (["import", "X", "--out", "CAT", "--precision", "vague"], "must be exact or point"),
    ],
)
def test_errors_give_one_line_and_no_traceback(catalogue: Path, arguments, message):
    done = terraseek(*[catalogue if a == "CAT" else a for a in arguments])
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert done.stdout == ""
