"""Evaluation sets that a corpus must not contain: those of its recipe, or those that are found."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from terraseek.errors import ConfigError
from terraseek_benchmarks import benchmarks
from terraseek_train.config import DataSource
from terraseek_train.evaluate.suite import find_files

__all__ = [
    "DATA_VARIABLE",
    "check_allowed",
    "evaluation_source",
    "find_evaluation_sets",
    "is_same_data",
]

DATA_VARIABLE = "TERRASEEK_DATA"
"""Environment variable with the folder of all data sets."""


def find_evaluation_sets() -> tuple[str, ...]:
    """Published benchmarks of whole images whose files are below `$TERRASEEK_DATA`.

    Each is a JSON object with the keys of a training config's source. Of sets with splits, only the
    split that is measured is in it.
    """
    root = os.environ.get(DATA_VARIABLE)
    found = []
    for bench in benchmarks().values() if root else ():
        files = find_files(bench, Path(root or ""))
        if files is None or bench.task == "localization":
            continue  # its scenes are larger than the images of a corpus
        images, annotations = files
        source = {"name": bench.name, "images": str(images), "split": bench.split}
        if bench.task == "retrieval" and annotations is not None:
            source["captions"] = str(annotations)
        found.append(json.dumps(source, sort_keys=True))
    return tuple(found)


def evaluation_source(text: str) -> DataSource:
    """Read an entry of `evaluation`: a path, or a JSON object with the keys of a source.

    Raises:
        ConfigError: the object is not JSON, or has an unknown key.
    """
    if not text.startswith("{"):
        return DataSource(Path(text).name, text)
    try:
        return DataSource(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"leakage: evaluation set {text!r} cannot be used: {error}") from error


def check_allowed(allowed: Iterable[str], sets: Sequence[str], origin: str) -> None:
    """Check the names of evaluation sets whose images may stay.

    A published benchmark may be named where its files are missing, so that a recipe can be run on
    another machine.

    Raises:
        ConfigError: a name is none of a set.
    """
    known = dict.fromkeys([evaluation_source(text).name for text in sets] + list(benchmarks()))
    for name in allowed:
        if name not in known:
            raise ConfigError(
                f'{origin}: "allow_evaluation" names {name!r}, which is no evaluation set; '
                f"known: {', '.join(known)}"
            )


def is_same_data(paths: Iterable[str], split: str, evaluation: DataSource) -> bool:
    """Whether a source of a recipe reads the files of an evaluation set.

    Args:
        paths: files and folders of the source; empty texts are ignored.
        split: the split that the source uses; empty for all.
        evaluation: the set. Another split of the same files is other data.
    """
    if evaluation.captions and evaluation.split and split and split != evaluation.split:
        return False
    mine = [Path(path).resolve() for path in paths if path]
    theirs = [Path(p).resolve() for p in (evaluation.images, evaluation.captions) if p]
    beside = [path.parent for path in mine[:1] if path.suffix.lower() == ".json"]
    if len(mine) == 1 and theirs[0].parent in beside:
        return True  # the images of a caption file are in a folder beside it
    return any(a == b or a in b.parents or b in a.parents for a in mine for b in theirs)
