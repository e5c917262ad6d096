"""The house keeps its shape: import arrows, light imports, public names that exist."""

import ast
import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from helpers.import_graph import (
    PACKAGES,
    ROOT,
    describe,
    find_cycle,
    folder_graph,
    import_graph,
    modules,
)

ALLOWED = {
    "terraseek": set(),
    "terraseek_train": {"terraseek", "terraseek_demoworld", "terraseek_benchmarks"},
    "terraseek_app": {"terraseek", "terraseek_demoworld"},
    "terraseek_demoworld": {"terraseek"},
    "terraseek_benchmarks": {"terraseek"},
}
FORBIDDEN = [
    ("terraseek.localization", "terraseek.search"),  # two peers above encoders
    ("terraseek.localization", "terraseek.tiles"),  # tiles draw heat maps, not the reverse
    ("terraseek.catalogue", "terraseek.review"),
    ("terraseek.catalogue", "terraseek.search"),
    ("terraseek.encoders", "terraseek.search"),
    ("terraseek.encoders", "terraseek.localization"),
    ("terraseek.scenes", "terraseek.localization"),
    ("terraseek_app.widgets", "terraseek_app.pages"),
    ("terraseek_app.api", "terraseek_app.pages"),
    ("terraseek_train.peft", "terraseek_train.methods"),
]
"""Folder, and a folder that nothing in it imports."""
MOST_FILES = 14
"""Python files in one folder, its `__init__.py` left out."""
HEAVY = ("torch", "rasterio", "faiss", "duckdb", "open_clip", "streamlit", "geopandas", "cv2")


def imported_roots(path: Path) -> set[str]:
    roots = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            roots.add(node.module.split(".")[0])
    return roots


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_only_follow_the_arrows(package: str) -> None:
    for name, path in modules(package):
        ours = imported_roots(path) & set(PACKAGES) - {package}
        assert ours <= ALLOWED[package], f"{name} imports {sorted(ours - ALLOWED[package])}"


@pytest.mark.parametrize(("here", "there"), FORBIDDEN)
def test_folders_do_not_import(here: str, there: str) -> None:
    graph = import_graph()
    found = [
        f"{module} imports {name}"
        for module, imported in graph.items()
        for name in imported
        if f"{module}.".startswith(f"{here}.") and f"{name}.".startswith(f"{there}.")
    ]
    assert found == []
    assert any(f"{module}.".startswith(f"{here}.") for module in graph), f"{here} is gone"
    assert any(f"{module}.".startswith(f"{there}.") for module in graph), f"{there} is gone"


def test_modules_have_no_import_cycle() -> None:
    graph = import_graph()
    cycle = find_cycle(graph)
    assert not cycle, " -> ".join(cycle)


def test_folders_have_no_import_cycle() -> None:
    graph = import_graph()
    for depth in (2, 3, 4):
        cycle = find_cycle(folder_graph(graph, depth))
        assert not cycle, describe(cycle, graph)


def test_a_cycle_is_found() -> None:
    graph = {"p.a.x": {"p.b.y"}, "p.b.y": set(), "p.b.z": {"p.a.x"}, "p.b": set(), "p.a": set()}
    assert find_cycle(graph) == []
    assert find_cycle(folder_graph(graph, 2)) == ["p.a", "p.b", "p.a"]
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_folders_hold_about_a_dozen_files() -> None:
    paths = [path for package in PACKAGES for _, path in modules(package)]
    files = Counter(path.parent for path in paths if path.name != "__init__.py")
    crowded = {f.relative_to(ROOT).as_posix(): n for f, n in files.items() if n > MOST_FILES}
    assert crowded == {}


def test_importing_the_core_loads_nothing_heavy() -> None:
    nets = "terraseek.encoders.nets."  # networks, which alone import torch on top
    names = [name for name, _ in modules("terraseek") if not name.startswith(nets)]
    assert "terraseek.encoders.load" in names
    code = (
        f"import importlib, sys\nfor name in {names!r}:\n    importlib.import_module(name)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_exist(package: str) -> None:
    missing = []
    for name, path in modules(package):
        text = path.read_text(encoding="utf-8")
        if "__all__" not in text:
            continue
        module = importlib.import_module(name)
        missing += [f"{name}.{public}" for public in module.__all__ if not hasattr(module, public)]
    assert missing == []


def test_every_error_is_in_the_drawn_tree() -> None:
    from terraseek import errors

    drawn = errors.__doc__ or ""
    classes = [
        n
        for n, v in vars(errors).items()
        if isinstance(v, type) and v.__module__ == errors.__name__
    ]
    assert classes
    assert [name for name in classes if name not in drawn] == []


def test_no_function_catches_everything_outside_the_app_edge() -> None:
    broad = []
    for package in PACKAGES:
        for name, path in modules(package):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler) and (
                    node.type is None
                    or getattr(node.type, "id", "") in {"Exception", "BaseException"}
                ):
                    reraises = any(
                        isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node)
                    )
                    if not reraises:
                        broad.append(name)
    assert set(broad) <= {"terraseek_app.messages", "terraseek_app.routes"}, broad


def test_whoever_starts_gdal_restricts_it_first() -> None:
    """See `terraseek.scenes.gdal_restrictions`: a raster may make GDAL open other files."""
    starts = ("rasterio.open(", "rasterio.Env(", "DatasetReader(", "rasterio.MemoryFile(")
    careless = []
    for package in PACKAGES:
        for name, path in modules(package):
            text = path.read_text(encoding="utf-8")
            if any(word in text for word in starts) and "restrict_gdal()" not in text:
                careless.append(name)
    assert careless == []


def test_vectors_are_not_read_with_gdal() -> None:
    """Neither geopandas nor pyogrio, whose GDAL is another one that nothing restricts.

    One module builds a GeoDataFrame from hits in memory and reads no file; another names its type.
    """
    allowed = ["terraseek.search.export.geodataframe", "terraseek.search.result"]
    readers = {"geopandas", "pyogrio", "fiona", "osgeo", "rio_tiler", "rio_cogeo", "imageio"}
    using = [
        name
        for package in PACKAGES
        for name, path in modules(package)
        if imported_roots(path) & readers
    ]
    assert using == allowed


def test_pillow_is_told_which_formats_it_may_decode() -> None:
    """Left alone it tries some forty, and starts Ghostscript for PostScript."""
    ours = {
        "terraseek.tiles.basemap",
        "terraseek_app.export_map",
        "terraseek_app.pages.review.locator",
    }
    free = []
    for package in PACKAGES:
        for name, path in modules(package):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                    told = any(word.arg == "formats" for word in node.keywords)
                    free += [] if told or name in ours else [name]
    assert free == []
