"""Recipes of published benchmarks: their layout, classes and prompts, for `terraseek evaluate`.

Each is a JSON file in `sets`, with the keys of `Benchmark`. The images are not distributed here; a
recipe says where the set comes from and which folders are expected.
"""

import json
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from terraseek.errors import ConfigError

__all__ = ["Benchmark", "benchmark", "benchmarks"]

_FOLDER = Path(__file__).parent / "sets"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """How one data set is laid out and measured."""

    name: str
    """Name for commands."""
    title: str
    """Name and size for people."""
    task: Literal["zeroshot", "retrieval", "localization"]
    """What is measured."""
    source: str
    """Where the set comes from: paper, and the site or archive that has it."""
    images: tuple[str, ...]
    """Places of the images below the folder of all sets; the first that exists is used. Those of
    GeoRSCLIP's evaluation archive come first."""
    annotations: tuple[str, ...] = ()
    """Places of the caption, label or annotation file, likewise; empty for class folders."""
    split: str | None = None
    """Split of a caption file; None uses all of it."""
    prompts: str = "rs105"
    """Prompt set of zero-shot classification."""
    n_images: int = 0
    """Number of images of the complete set."""
    classes: tuple[str, ...] = ()
    """Folders of the classes, in their sorted order."""
    described: tuple[str, ...] = ()
    """Hand-written names of the classes in the same order, if there are any: figures with them are
    reported beside those by the published rule (folder names in lower case)."""
    published: MappingProxyType[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Published figures by model, for comparison: top-1 or mR in percent, Rmi."""


@cache
def benchmarks() -> MappingProxyType[str, Benchmark]:
    """All recipes by name."""
    found = {path.stem: _read(path) for path in sorted(_FOLDER.glob("*.json"))}
    return MappingProxyType(found)


def benchmark(name: str) -> Benchmark:
    """Look up a recipe by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    known = benchmarks()
    if name not in known:
        raise ConfigError(f"no benchmark is called {name!r}; there are {', '.join(known)}")
    return known[name]


def _read(path: Path) -> Benchmark:
    value = json.loads(path.read_text(encoding="utf-8"))
    unknown = set(value) - {f.name for f in fields(Benchmark)}
    if unknown:
        raise ConfigError(f"{path.name} has the unknown key {min(unknown)!r}")
    lists = {key: tuple(v) for key, v in value.items() if isinstance(v, list)}
    published = MappingProxyType(value.get("published", {}))
    return Benchmark(**{"name": path.stem, **value, **lists, "published": published})
