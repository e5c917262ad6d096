"""The names of `import terraseek`, which loads nothing heavy."""

import importlib
import json
import subprocess
import sys

import pytest

import terraseek

NAMES = [
    "Catalogue",
    "Filter",
    "HeatMap",
    "LocalizeRequest",
    "Query",
    "Scene",
    "SearchRequest",
    "SearchResult",
    "Searcher",
    "__version__",
    "embed",
    "import_source",
    "list_models",
    "load_encoder",
    "localize",
    "open_review",
]


def test_the_public_names_are_those_documented():
    assert sorted(terraseek.__all__) == NAMES
    assert set(NAMES) <= set(dir(terraseek))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_a_documented_object_of_the_library(name):
    value = getattr(terraseek, name)
    if name == "__version__":
        assert value.count(".") >= 2
        return
    assert value.__module__.startswith("terraseek.")
    assert value.__doc__
    assert getattr(importlib.import_module(value.__module__), value.__name__) is value


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        _ = terraseek.serch


def test_import_terraseek_is_light():
    """Nothing heavy, and nothing but the package itself of the library."""
    code = (
        "import sys; before = set(sys.modules); import terraseek; import json; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    heavy = {"torch", "rasterio", "geopandas", "pandas", "numpy", "pyarrow", "faiss", "leafmap"}
    assert loaded & heavy == set()
    assert "terraseek" in loaded
