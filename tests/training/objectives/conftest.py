"""A scene classifier with random weights, and recipes of every method at a tiny size."""

from pathlib import Path
from typing import Any

import pytest

from helpers.method_cases import METHODS, random_classifier


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """Folder of a scene classifier with random weights."""
    return random_classifier(tmp_path / "classes")


@pytest.fixture
def recipe(settings: dict[str, Any], classifier: Path) -> Any:
    """Function from a case of `METHODS` to the settings of its recipe, as in JSON."""

    def of(case: str, **changes: Any) -> dict[str, Any]:
        found = settings | METHODS[case] | changes
        options = dict(found.get("options", {}))
        if found["method"] in ("pir", "priorclip") and options.get("belief") != "none":
            options["instruction"] = str(classifier)
        return found | {"options": options}

    return of
