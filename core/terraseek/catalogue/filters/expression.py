"""Conditions written by hand in SQL: parsed by DuckDB and allowed node by node, never trusted."""

import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from terraseek.catalogue.filters.database import cursor
from terraseek.errors import FilterError

__all__ = ["FUNCTIONS", "MAX_LENGTH", "check_expression", "syntax_of"]

MAX_LENGTH = 4000
"""Longest condition, in characters."""

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
"""What a condition may call: nothing that reads, writes, waits, or multiplies its input."""

_ALLOWED_CLASSES = """
BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR TYPE
"""
_CLASSES = frozenset(_ALLOWED_CLASSES.split())


def check_expression(text: str, columns: Collection[str]) -> None:
    """Refuse anything but one condition over the columns.

    Raises:
        FilterError: it is no single expression, or uses what a condition may not.
    """
    known = {name.lower() for name in columns}
    for name in syntax_of(text):
        if name.lower() not in known:
            raise FilterError(f"no column {name!r}; there are {', '.join(sorted(columns))}")


@lru_cache(maxsize=64)
def syntax_of(text: str) -> tuple[str, ...]:
    """Columns a condition names, once its syntax is found to be that of one harmless expression.

    Raises:
        FilterError: it is not.
    """
    if not text.strip():
        raise FilterError("the condition is empty; write one such as  gsd_m < 1")
    if len(text) > MAX_LENGTH:
        raise FilterError(f"the condition has {len(text)} characters, more than {MAX_LENGTH}")
    columns = []
    for node in _nodes(_tree(text)):
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
        raise FilterError(f"a condition cannot use {name}(); it can use {', '.join(words)}")


def _tree(text: str) -> Any:  # noqa: ANN401 - JSON
    """Syntax tree of the expression, from DuckDB's own parser."""
    _parsed(text)  # complete by itself: `1 = 1) OR (1 = 1` would pass in parentheses alone
    return _parsed(f"({text}\n)")


def _parsed(text: str) -> Any:  # noqa: ANN401
    import duckdb

    refused = "the condition is not one SQL expression"
    try:
        with cursor() as parser:
            query = "SELECT json_serialize_sql(?::VARCHAR)"
            found = parser.execute(query, [f"SELECT {text}"]).fetchone()
    except (duckdb.Error, UnicodeError) as error:
        raise FilterError(f"{refused}: {_first_line(error)}") from error
    value = json.loads(found[0])
    if value.get("error_type") == "parser":
        raise FilterError(f"{refused}: {value['error_message']}")
    # what is no SELECT, or several statements, is an error of another type
    nodes = [statement["node"] for statement in value.get("statements", ())]
    if len(nodes) != 1 or not _is_bare(nodes[0]):
        raise FilterError(f"{refused}; write only what stands behind WHERE, such as  gsd_m < 1")
    return nodes[0]["select_list"][0]


def _is_bare(node: dict[str, Any]) -> bool:
    """Whether a statement is SELECT with one expression and nothing else."""
    rest = ("where_clause", "group_expressions", "having", "sample", "qualify", "modifiers")
    return (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not any(node.get(part) for part in rest)
        and not node["cte_map"]["map"]
    )


def _nodes(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Every node of the tree, wherever this version of DuckDB puts it."""
    if isinstance(value, list):
        for part in value:
            yield from _nodes(part)
    elif isinstance(value, dict):
        if "class" in value:
            yield value
        for part in value.values():
            yield from _nodes(part)


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
