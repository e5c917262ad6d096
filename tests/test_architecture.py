"""The house keeps its shape: import arrows, light imports, public names that exist."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "terraseek": ROOT / "core/terraseek",
    "terraseek_train": ROOT / "training/terraseek_train",
    "terraseek_app": ROOT / "app/terraseek_app",
    "terraseek_demoworld": ROOT / "data/terraseek_demoworld",
}
ALLOWED = {
    "terraseek": set(),
    "terraseek_train": {"terraseek", "terraseek_demoworld"},
    "terraseek_app": {"terraseek", "terraseek_demoworld"},
    "terraseek_demoworld": {"terraseek"},
}
HEAVY = ("torch", "rasterio", "faiss", "duckdb", "open_clip", "streamlit", "geopandas", "cv2")


def modules(package: str) -> Iterator[tuple[str, Path]]:
    folder = PACKAGES[package]
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        yield ".".join(p for p in parts if p != "__init__"), path


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
    """Neither geopandas nor pyogrio, whose GDAL is another one that nothing restricts."""
    readers = {"geopandas", "pyogrio", "fiona", "osgeo", "rio_tiler", "rio_cogeo", "imageio"}
    using = [
        name
        for package in PACKAGES
        for name, path in modules(package)
        if imported_roots(path) & readers
    ]
    assert using == []


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
