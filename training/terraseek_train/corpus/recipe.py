"""Recipe of a corpus: sources and stages, from a JSON file with a version; unknown keys are errors.

{"version": 1, "name": "demo", "out": "corpus",
 "sources": [{"name": "laion", "path": "laion/", "kind": "pairs", "licence": "CC-BY-4.0"}],
 "stages": [{"stage": "keywords"}, {"stage": "download"}, {"stage": "broken"}]}
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from terraseek.errors import CatalogueNotFoundError, ConfigError
from terraseek.files import read_json
from terraseek_train.config import expand_variables
from terraseek_train.corpus.leakage.evaluation_sets import check_allowed, find_evaluation_sets
from terraseek_train.corpus.registry import build_stage
from terraseek_train.corpus.stage import Stage

__all__ = [
    "VERSION",
    "Recipe",
    "SourceEntry",
    "StageEntry",
    "digest_of",
    "file_state",
    "load_recipe",
    "parse_recipe",
    "stored_recipe",
]

VERSION = 1
"""Version of the format."""


@dataclass(frozen=True)
class SourceEntry:
    """A source of a recipe."""

    name: str
    """Beginning of the ids of its items; letters, digits, `-` and `_`."""
    path: str
    """Table of url and caption, or anything that `terraseek import` reads."""
    kind: str = "auto"
    """`pairs` for tables of url and caption, else a kind of `terraseek import`, or `auto`."""
    url: str = "url"
    """Column of the address, for `pairs`."""
    caption: str = "caption"
    """Column of the caption, for `pairs`."""
    geometa: str = ""
    """Table joined by image name; empty for none."""
    images: str = ""
    """Folder or tar of the images that a table or caption file names."""
    split: str = ""
    """Use this split only, where the source has splits; empty uses all."""
    limit: int = 0
    """Use at most this many items, the first ones; 0 uses all."""
    licence: str = "unknown"
    """Licence of the images and captions, for the data card."""
    rank: int = 1
    """Of duplicates, one of the smallest rank is kept: RS5M has LAION-2B, LAION-400M and COYO at
    0, LAION-COCO at 2 and all others at 1."""


@dataclass(frozen=True)
class StageEntry:
    """A stage of a recipe with its parameters."""

    name: str
    """Name of the stage's folder and row in tables; that of the stage unless it occurs twice."""
    stage: str
    """Name in the registry."""
    parameters: dict[str, Any]

    def build(self) -> Stage:
        """Make the stage.

        Raises:
            ConfigError: unknown stage or parameter.
        """
        return build_stage(self.stage, self.parameters)

    @property
    def digest(self) -> str:
        """Hash of everything that determines the output for a given input."""
        stage = self.build()
        files = [file_state(Path(file)) for file in stage.files()]
        return digest_of([self.stage, stage.version, stage_parameters(stage), files])


@dataclass(frozen=True)
class Recipe:
    """All settings of a corpus."""

    name: str
    out: str
    """Folder of the corpus."""
    sources: tuple[SourceEntry, ...]
    stages: tuple[StageEntry, ...]
    shard_rows: int = 10_000
    """Items per shard; img2dataset and RS5M have 10,000."""
    seed: int = 0
    """Seed of the choices among duplicates, and of the split into train and val."""
    val_share: float = 0.05
    """Share of each source that goes to the validation shards, 0 to 1."""
    description: str = ""
    """For the data card."""
    evaluation: tuple[str, ...] = ()
    """Evaluation sets that must share no image with the corpus; a last stage `leakage` checks.
    Empty for the published benchmarks below `$TERRASEEK_DATA`."""
    allow_evaluation: tuple[str, ...] = ()
    """Names of evaluation sets whose images may stay, because a source is that set; they are still
    counted."""
    leakage: bool = True
    """Whether that stage is added."""
    version: int = field(default=VERSION)

    @property
    def digest(self) -> str:
        """Hash of the recipe, 12 hex digits, without its folder."""
        return digest_of({k: v for k, v in asdict(self).items() if k != "out"})[:12]


def digest_of(value: Any) -> str:  # noqa: ANN401 - JSON is any of these
    """Hex SHA-256 of a JSON value, the same for any order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def stage_parameters(stage: Stage) -> dict[str, Any]:
    """All parameters of a stage, given or default."""
    return {item.name: getattr(stage, item.name) for item in fields(stage)}  # type: ignore[arg-type]


def file_state(path: Path) -> list[Any]:
    """Names, sizes and times of a file, or of all files of a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return [
        [str(f.absolute()), f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.exists()
    ]


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; environment variables in its texts are expanded.

    Raises:
        ConfigError: no such file, not JSON, an unknown or missing key, or an unset variable.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no recipe at {path}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict) or value.get("version") != VERSION:
        raise ConfigError(f'{path} must be a JSON object with "version": {VERSION}')
    return parse_recipe(expand_variables(value, path), str(path))


def stored_recipe(folder: Path) -> Recipe:
    """Recipe of the last run in the folder of a corpus, as it was completed then.

    Raises:
        CatalogueNotFoundError: the folder is no corpus.
    """
    path = folder / "recipe.json"
    if not path.exists():
        raise CatalogueNotFoundError(f"{folder} is no corpus; make one with: terraseek corpus run")
    value = read_json(path)
    value["sources"] = tuple(SourceEntry(**entry) for entry in value["sources"])
    value["stages"] = tuple(StageEntry(**entry) for entry in value["stages"])
    for key in ("evaluation", "allow_evaluation"):
        value[key] = tuple(value.get(key, ()))
    return Recipe(**value)


def parse_recipe(value: dict[str, Any], origin: str) -> Recipe:
    """Check a recipe read from JSON.

    Raises:
        ConfigError: an unknown, missing or repeated key or name.
    """
    _check_keys(value, Recipe, origin, ("name", "out", "sources", "stages"))
    sources = tuple(_source(entry, origin) for entry in value["sources"])
    _check_distinct([source.name for source in sources], "source", origin)
    recipe = Recipe(
        **{
            **value,
            "sources": sources,
            "stages": tuple(_stages(value["stages"])),
            "evaluation": tuple(value.get("evaluation", ())),
            "allow_evaluation": tuple(value.get("allow_evaluation", ())),
        }
    )
    recipe = _with_gate(recipe, origin)
    ranks = {source.name: source.rank for source in sources}
    common = {"ranks": ranks, "seed": recipe.seed, "allow": list(recipe.allow_evaluation)}
    recipe = replace(recipe, stages=tuple(_filled(entry, common) for entry in recipe.stages))
    if not sources or recipe.shard_rows < 1 or not 0 <= recipe.val_share < 1:
        raise ConfigError(f"{origin} needs a source, shard_rows above 0, and val_share in 0..1")
    for entry in recipe.stages:
        entry.build()
    return recipe


def _with_gate(recipe: Recipe, origin: str) -> Recipe:
    """Recipe whose stage `leakage` has the evaluation sets; the last stage, unless it is named.

    None is added if it is turned off, or if there is nothing to check against.
    """
    if not isinstance(recipe.leakage, bool) or (recipe.evaluation and not recipe.leakage):
        raise ConfigError(
            f'{origin}: "leakage" must be true or false, and "evaluation" needs it to be true'
        )
    if not recipe.leakage:
        return recipe
    named = [entry for entry in recipe.stages if entry.stage == "leakage"]
    sets = list(recipe.evaluation or find_evaluation_sets())
    stages = list(recipe.stages)
    if not named and sets:
        stages.append(StageEntry("leakage", "leakage", {}))
    for place, entry in enumerate(stages):
        if entry.stage == "leakage":
            filled = {"evaluation": sets} | entry.parameters
            stages[place] = replace(entry, parameters=filled)
            check_allowed(recipe.allow_evaluation, filled["evaluation"], origin)
    return replace(recipe, stages=tuple(stages))


def _source(entry: Any, origin: str) -> SourceEntry:  # noqa: ANN401 - whatever JSON holds
    _check_keys(entry, SourceEntry, f"{origin}: a source", ("name", "path"))
    source = SourceEntry(**entry)
    if not source.name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"{origin}: source name {source.name!r} must be letters, digits, - and _")
    return source


def _stages(entries: Any) -> list[StageEntry]:  # noqa: ANN401
    found: list[StageEntry] = []
    for entry in entries:
        if not isinstance(entry, dict) or "stage" not in entry:
            raise ConfigError(f'a stage must be an object with the key "stage", not {entry!r}')
        kind = entry["stage"]
        taken = {known.name for known in found}
        name = entry.get("name") or kind
        number = 2
        while name in taken:
            name, number = f"{kind}-{number}", number + 1
        parameters = {k: v for k, v in entry.items() if k not in ("stage", "name")}
        found.append(StageEntry(name, kind, parameters))
    return found


def _filled(entry: StageEntry, common: dict[str, Any]) -> StageEntry:
    """Entry with the recipe's common parameters, where the stage has these parameters."""
    known = {item.name for item in fields(entry.build())}  # type: ignore[arg-type]
    defaults = {key: value for key, value in common.items() if key in known}
    return replace(entry, parameters=defaults | entry.parameters)


def _check_keys(value: Any, kind: type, origin: str, required: tuple[str, ...]) -> None:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ConfigError(f"{origin} must be a JSON object, not {value!r}")
    known = [item.name for item in fields(kind)]
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ConfigError(f"{origin} has the unknown key {unknown[0]!r}; known: {', '.join(known)}")
    missing = [key for key in required if key not in value]
    if missing:
        raise ConfigError(f"{origin} lacks the key {missing[0]!r}")


def _check_distinct(names: list[str], what: str, origin: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"{origin} has two {what}s called {repeated[0]!r}; rename one")
