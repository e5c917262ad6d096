"""Names of the stages in recipes; a new stage is a module and one entry here."""

from dataclasses import fields
from importlib import import_module
from typing import Any

from terraseek.errors import ConfigError
from terraseek_train.corpus.stage import Stage

__all__ = ["STAGES", "build_stage"]

STAGES = {
    "keywords": "keywords:Keywords",
    "download": "download:DownloadImages",
    "broken": "broken:Broken",
    "embed": "embed:Embed",
    "geo": "geo:Geo",
    "captions": "captions:Captions",
    "label_captions": "label_captions:LabelCaptions",
    "metadata_captions": "metadata_captions:MetadataCaptions",
    "osm_captions": "osm_captions:OsmCaptions",
    "similarity": "similarity:Similarity",
    "leakage": "leakage:Leakage",
    "outliers": "outliers:Outliers",
    "duplicates": "duplicates:Duplicates",
}
"""Stage name to module below `stages` and class."""


def build_stage(name: str, parameters: dict[str, Any]) -> Stage:
    """Make a stage from its entry in a recipe.

    Raises:
        ConfigError: no stage has this name, or it has no such parameter.
    """
    if name not in STAGES:
        raise ConfigError(f"there is no stage {name!r}; known: {', '.join(STAGES)}")
    module, _, attribute = STAGES[name].partition(":")
    kind = getattr(import_module(f"terraseek_train.corpus.stages.{module}"), attribute)
    known = [item.name for item in fields(kind)]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ConfigError(
            f"stage {name} has the unknown parameter {unknown[0]!r}; known: {', '.join(known)}"
        )
    try:
        stage: Stage = kind(**{k: _frozen(v) for k, v in parameters.items()})
    except TypeError as error:
        raise ConfigError(f"stage {name} lacks a parameter ({error})") from error
    return stage


def _frozen(value: Any) -> Any:  # noqa: ANN401 - JSON is any of these
    """Tuples for the lists of JSON, as fields of frozen dataclasses have."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
