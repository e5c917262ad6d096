"""Imports between our modules, read from their syntax trees; function-level ones included."""

import ast
from collections.abc import Iterator, Mapping, Set
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "terraseek": ROOT / "core/terraseek",
    "terraseek_train": ROOT / "training/terraseek_train",
    "terraseek_app": ROOT / "app/terraseek_app",
    "terraseek_demoworld": ROOT / "data/terraseek_demoworld",
    "terraseek_benchmarks": ROOT / "data/terraseek_benchmarks",
}

Graph = Mapping[str, Set[str]]
"""Node to the nodes it depends on."""


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted names and files of a package."""
    folder = PACKAGES[package]
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        yield ".".join(p for p in parts if p != "__init__"), path


@cache
def import_graph() -> Graph:
    """Every module of the four packages with the modules of theirs that it imports anywhere."""
    files = {name: path for package in PACKAGES for name, path in modules(package)}
    return {name: _imported(path, files.keys()) - {name} for name, path in files.items()}


def _imported(path: Path, known: Set[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in known else node.module)
    return found & known


def folder_graph(graph: Graph, depth: int) -> Graph:
    """Folders cut off at a depth, with the folders they depend on.

    A folder may depend on the folders inside it and on those it is inside of.
    """

    def folder(module: str) -> str:
        is_package = any(other.startswith(f"{module}.") for other in graph)
        parts = module.split(".") if is_package else module.split(".")[:-1]
        return ".".join(parts[:depth])

    folders: dict[str, set[str]] = {folder(module): set() for module in graph}
    for module, imported in graph.items():
        here = folder(module)
        for there in map(folder, imported):
            if not f"{there}.".startswith(f"{here}.") and not f"{here}.".startswith(f"{there}."):
                folders[here].add(there)
    return folders


def find_cycle(graph: Graph) -> list[str]:
    """A cycle of the graph, its first node repeated at the end; empty if there is none."""
    finished: set[str] = set()
    for start in graph:
        path: list[str] = []
        stack = [(start, iter(sorted(graph[start])))] if start not in finished else []
        path += [start] if stack else []
        while stack:
            node, successors = stack[-1]
            following = next((n for n in successors if n not in finished), None)
            if following is None:
                finished.add(node)
                stack.pop()
                path.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            else:
                path.append(following)
                stack.append((following, iter(sorted(graph[following]))))
    return []


def describe(cycle: list[str], graph: Graph) -> str:
    """A cycle as text, with the modules whose imports make each of its arrows."""
    arrows = []
    for here, there in pairwise(cycle):
        because = [
            f"{module} imports {name}"
            for module, imported in graph.items()
            for name in sorted(imported)
            if f"{module}.".startswith(f"{here}.") and f"{name}.".startswith(f"{there}.")
        ]
        arrows.append(f"{here} -> {there}: {'; '.join(because[:3])}")
    return "\n".join(arrows)
