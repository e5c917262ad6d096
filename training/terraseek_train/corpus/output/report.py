"""Quality report of a corpus: one HTML page with plots and contact sheets, without scripts."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from terraseek.files import write_text
from terraseek_train.corpus.items import image_refs, texts
from terraseek_train.corpus.leakage.texts import leakage_text
from terraseek_train.corpus.output.svg import contact_sheet, histogram, point_map
from terraseek_train.corpus.recipe import Recipe
from terraseek_train.corpus.sources import ShardInput
from terraseek_train.corpus.status import read_status, stage_folder, status_lines

__all__ = ["write_report"]

_SHOWN = 36
_REASONS = 6
_MEASURES = ("similarity", "vlm_score", "rs_score")
_STYLE = """body{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
pre{background:#f4f4f4;padding:1em;overflow:auto}figure{margin:1em 0}figcaption{color:#555}
svg rect{fill:#3a6ea5}svg.map{background:#eef3f7}svg line{stroke:#cdd7df;stroke-width:.3}
svg circle{fill:#b3312c}img,svg{max-width:100%;height:auto}li{overflow-wrap:anywhere}"""


def write_report(recipe: Recipe, out: Path, shards: Sequence[ShardInput]) -> Path:
    """Write `report.html` in the folder of a corpus, and return its path."""
    name, stages = recipe.name, read_status(out)
    leakage = leakage_text(recipe, stages)
    items = pa.concat_tables(
        [pq.read_table(shard.file) for shard in shards], promote_options="default"
    )
    parts = [
        f"<h1>{escape(name)}</h1>",
        f"<pre>{escape(chr(10).join(status_lines(stages)))}</pre>",
        f"<p>{escape(leakage[0].upper() + leakage[1:])}.</p>",
        "<h2>Captions</h2>",
        *_captions(items),
        "<h2>Positions</h2>",
        _positions(items),
        "<h2>Stages</h2>",
    ]
    for number, stage in enumerate(stages, start=1):
        folder = stage_folder(out, number, stage["name"])
        parts += [f"<h3>{escape(stage['name'])}</h3>", *_stage(folder, stage)]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(name)}</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )
    write_text(out / "report.html", page)
    return out / "report.html"


def _captions(items: pa.Table) -> list[str]:
    captions = texts(items, "caption")
    lengths = [len(text.split()) for text in captions]
    words = Counter(word for text in captions for word in re.findall(r"[a-z']+", text.lower()))
    common = ", ".join(f"{word} {count:,}" for word, count in words.most_common(60))
    distinct = len(set(captions))
    return [
        histogram(lengths, "Words per caption"),
        f"<p>{len(words):,} different words; {distinct:,} different captions of "
        f"{len(captions):,}. Most frequent: {escape(common)}.</p>",
    ]


def _positions(items: pa.Table) -> str:
    pairs = zip(items.column("lon").to_pylist(), items.column("lat").to_pylist(), strict=True)
    known = [(lon, lat) for lon, lat in pairs if lon is not None and lat is not None]
    return point_map([p[0] for p in known], [p[1] for p in known], "Positions of accepted images")


def _stage(folder: Path, stage: dict[str, Any]) -> list[str]:
    """Counts, measurements of accepted and rejected items, and samples of both."""
    parts = [
        f"<p>{stage['accepted']:,} accepted, {stage['rejected']:,} rejected "
        f"({escape(', '.join(f'{k}: {v:,}' for k, v in stage['reasons'].items()) or 'none')}).</p>"
    ]
    for outcome in ("accepted", "rejected"):
        files = sorted((folder / outcome).glob("*.parquet"))
        tables = [pq.read_table(file) for file in files]
        table = pa.concat_tables(tables, promote_options="default") if tables else None
        if table is None or not len(table):
            continue
        for measure in _MEASURES:
            if measure in table.column_names and stage["stage"] in ("similarity", "outliers"):
                values = table.column(measure).to_pylist()
                parts.append(histogram(values, f"{measure}, {outcome}"))
        rows = sorted(random.Random(0).sample(range(len(table)), min(_SHOWN, len(table))))
        parts += _sample(table.take(rows), outcome)
    return parts


def _sample(items: pa.Table, outcome: str) -> list[str]:
    """Images of some items, captions of those that have none, and reasons of rejected ones."""
    shown = [ref for ref in image_refs(items) if ref is not None]
    parts = [contact_sheet(shown, f"{outcome}, {len(shown)} at random")] if shown else []
    bare = items.filter(pc.equal(items.column("image_file"), ""))
    if len(bare):
        parts.append(f"<p>{outcome}, {len(bare)} at random without an image:</p>")
        parts.append(_list(text[:200] for text in texts(bare, "caption")))
    if outcome == "rejected":
        pairs = zip(texts(items, "item"), texts(items, "reason"), strict=True)
        parts.append(_list(f"{item}: {reason}" for item, reason in islice(pairs, _REASONS)))
    return parts


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
