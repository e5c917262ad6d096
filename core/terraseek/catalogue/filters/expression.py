"""Validation of SQL conditions that users write.

DuckDB parses a condition without running it; every node of the syntax tree must be on the list of
allowed node classes and functions.
"""

import json
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from terraseek.catalogue.filters.database import cursor
from terraseek.errors import FilterError

__all__ = ["FUNCTIONS", "MAX_DEPTH", "MAX_LENGTH", "check_expression", "referenced_columns"]

MAX_LENGTH = 4000
"""Longest condition, in characters."""
MAX_DEPTH = 60
"""Deepest nesting of operators and functions in a condition."""

_TOO_DEEP = (
    f"the condition is nested more than {MAX_DEPTH} levels deep; write it with fewer operators and "
    "functions inside each other"
)

_ALLOWED_FUNCTIONS = """
+ - * / // % ** ^ & | || ^@ ~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape
not_ilike_escape abs ceil ceiling floor round sign sqrt ln log10 greatest least trunc
lower upper trim ltrim rtrim length strlen left right substring substr
contains prefix suffix starts_with ends_with position strpos
regexp_matches regexp_full_match isnan isfinite isinf
year month day hour minute dayofweek dayofyear quarter week date_part date_trunc
coalesce ifnull nullif if to_days to_months to_years
"""
FUNCTIONS = frozenset(_ALLOWED_FUNCTIONS.split())
"""Functions a condition may call: none reads files, writes, waits, or repeats its input."""

_ALLOWED_CLASSES = """
BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR TYPE
"""
_CLASSES = frozenset(_ALLOWED_CLASSES.split())


def check_expression(text: str, columns: Collection[str]) -> None:
    """Check that a text is a single, allowed SQL expression over the given columns.

    Raises:
        FilterError: it is not a single expression, or uses an unknown column, a node class or a
            function that is not allowed.
    """
    known = {name.lower() for name in columns}
    for name in referenced_columns(text):
        if name.lower() not in known:
            raise FilterError(f"no column {name!r}; there are {', '.join(sorted(columns))}")


@lru_cache(maxsize=64)
def referenced_columns(text: str) -> tuple[str, ...]:
    """Check the syntax of a condition and list the columns it uses.

    Raises:
        FilterError: it is not a single expression, or uses a node class or a function that is not
            allowed.
    """
    if not text.strip():
        raise FilterError("the condition is empty; write one such as  gsd_m < 1")
    if len(text) > MAX_LENGTH:
        raise FilterError(f"the condition has {len(text)} characters, more than {MAX_LENGTH}")
    columns = []
    for node in _nodes(_syntax_tree(text)):
        kind = node["class"]
        if kind not in _CLASSES:
            raise FilterError(f"a condition cannot hold a {kind.lower().replace('_', ' ')}")
        if kind == "FUNCTION":
            _check_function(node)
        elif kind == "COLUMN_REF":
            columns.append(".".join(node["column_names"]))
    return tuple(columns)


def _check_function(node: dict[str, Any]) -> None:
    name = node["function_name"].lower()
    if name not in FUNCTIONS or node.get("schema") or node.get("catalog"):
        words = sorted(f for f in FUNCTIONS if f.isidentifier())
        near = get_close_matches(name, words, 3) or ["lower", "round", "year"]
        raise FilterError(
            f"a condition cannot use {name}(); it can use functions of numbers, texts and dates, "
            f"such as {', '.join(near)} (all are listed under Conditions in SQL in the manual)"
        )


def _syntax_tree(text: str) -> Any:  # noqa: ANN401 - JSON
    """Syntax tree of the expression, from DuckDB's parser."""
    _parse(text)  # without parentheses first: `1 = 1) OR (1 = 1` is valid only inside them
    return _parse(f"({text}\n)")


def _parse(text: str) -> Any:  # noqa: ANN401
    import duckdb

    problem = "the condition is not one SQL expression"
    try:
        with cursor() as parser:
            query = "SELECT json_serialize_sql(?::VARCHAR)"
            row = parser.execute(query, [f"SELECT {text}"]).fetchone()
    except (duckdb.Error, UnicodeError) as error:
        raise FilterError(f"{problem}: {_first_line(error)}") from error
    try:
        parsed = json.loads(row[0])
    except RecursionError as error:
        raise FilterError(_TOO_DEEP) from error
    if parsed.get("error_type") == "parser":
        if parsed["error_message"].startswith("Max expression depth"):
            raise FilterError(_TOO_DEEP)
        raise FilterError(f"{problem}: {parsed['error_message']}")
    # anything but SELECT gives an error of another type and no statements
    nodes = [statement["node"] for statement in parsed.get("statements", ())]
    if len(nodes) != 1 or not _is_single_expression(nodes[0]):
        raise FilterError(f"{problem}; write only the part after WHERE, such as  gsd_m < 1")
    return nodes[0]["select_list"][0]


def _is_single_expression(node: dict[str, Any]) -> bool:
    """Whether a statement is `SELECT expression` without any other clause."""
    clauses = ("where_clause", "group_expressions", "having", "sample", "qualify", "modifiers")
    return (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not any(node.get(clause) for clause in clauses)
        and not node["cte_map"]["map"]
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Every node of the tree, at any depth, so that it works for any version of DuckDB.

    Raises:
        FilterError: the nodes are nested more than `MAX_DEPTH` deep.
    """
    pending = [(tree, 0)]
    while pending:
        value, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise FilterError(_TOO_DEEP)
        if isinstance(value, list):
            pending += [(part, depth) for part in value]
        elif isinstance(value, dict):
            is_node = "class" in value
            if is_node:
                yield value
            pending += [(part, depth + is_node) for part in value.values()]


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
