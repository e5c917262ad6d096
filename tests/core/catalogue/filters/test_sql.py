"""SQL conditions: the rows they select, and everything they are not allowed to do."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from terraseek.catalogue import Filter
from terraseek.catalogue.filters.apply import ItemsTable
from terraseek.catalogue.items import FILE_COLUMNS, build_frame
from terraseek.errors import FilterError

ROWS = [
    {"item_id": "a", "gsd_m": 0.5, "country": "Peru", "captured_at": "2017-08-25", "cloud": 3},
    {"item_id": "b", "gsd_m": None, "country": "", "captured_at": "", "cloud": 80},
    {"item_id": "c", "gsd_m": 10, "country": "O'Hara", "captured_at": "2018", "cloud": None},
    {"item_id": "d", "gsd_m": 2, "country": "peru", "captured_at": "2018-01-02", "cloud": 0},
]


@pytest.fixture(scope="module")
def table() -> ItemsTable:
    rows = [{**row, "label": "", "source": "s", "_file": "/secret"} for row in ROWS]
    return ItemsTable.from_frame(build_frame(rows), FILE_COLUMNS)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("gsd_m < 5", "ad"),
        ("gsd_m < 5 OR cloud = 80", "abd"),
        ("country = 'Peru'", "a"),
        ("lower(country) = 'peru'", "ad"),
        ("country ILIKE 'p%'", "ad"),
        ("country IS NULL", "b"),
        ("NOT country = 'Peru'", "cd"),
        ("gsd_m IS NULL", "b"),
        ("gsd_m > 0", "acd"),
        ("cloud BETWEEN 0 AND 10", "ad"),
        ("country IN ('O''Hara', 'x')", "c"),
        ("captured_at >= '2018'", "cd"),
        ("year(TRY_CAST(captured_at AS DATE)) = 2018", "d"),
        ("coalesce(cloud, 100) >= 80", "bc"),
        ("regexp_matches(country, '^[Pp]')", "ad"),
        ("CASE WHEN cloud > 50 THEN TRUE ELSE gsd_m > 5 END", "bc"),
        ("\"country\" = 'Peru' -- only there", "a"),
        ("cloud % 2 = 0 /* even */", "bd"),
        ("TRUE", "abcd"),
        ("false", ""),
        ("label IS NULL AND caption IS NULL", "abcd"),
    ],
)
def test_a_condition_selects_rows(table: ItemsTable, sql: str, wanted: str):
    rows = table.rows(Filter(sql=sql))
    assert "".join(ROWS[row]["item_id"] for row in rows) == wanted


def test_it_is_combined_with_the_other_conditions(table: ItemsTable):
    assert table.rows(Filter(sql="TRUE OR TRUE", gsd_max=1)).tolist() == [0]
    assert table.rows(Filter(sql="gsd_m < 5 -- x", item_ids=("d", "c"))).tolist() == [3]


@pytest.mark.parametrize(
    "sql",
    [
        "1=1) UNION SELECT 1 FROM items WHERE (1=1",
        "1=1) OR (1=1",
        "gsd_m AS x",
        "gsd_m x",
        "DISTINCT gsd_m",
        "1=1); DROP VIEW items; SELECT (1",
        "1=1; SELECT 1",
        "TRUE), (TRUE",
        "TRUE) FROM items, (SELECT 1",
        "TRUE) LIMIT (1",
        "TRUE) AS x, (1",
        "EXISTS (SELECT 1)",
        "gsd_m = (SELECT max(gsd_m) FROM items)",
        "gsd_m IN (SELECT gsd_m FROM items)",
        "gsd_m = ANY (SELECT 1)",
        "count(*) > 0",
        "sum(gsd_m) OVER () > 1",
        "gsd_m = $1",
        "gsd_m = ?",
        "*",
        "COLUMNS('gsd_m') > 1",
        "length(read_text('/etc/passwd')) > 0",
        "getenv('HOME') = ''",
        "current_setting('threads') = '1'",
        "length(repeat('x', 1000000000)) > 1",
        "list_sum(range(1000000000)) > 1",
        "replace(country, 'P', 'PPPP') = ''",
        "main.lower(country) = 'peru'",
        "list_filter([1], lambda x: x > 0) = [1]",
        "_file = '/secret'",
        "_FILE LIKE '/s%'",
        '"_file" IS NOT NULL',
        "_row = 1",
        "nosuch = 1",
        "items.gsd_m = 1",
        "mapped._file = 'x'",
        "",
        "   ",
        "gsd_m <",
        "gsd_m < 1 /*",
        "'",
        "COPY items TO 'x'",
        "ATTACH 'x.db'",
        "PRAGMA version",
        "country = 1 + ",
        "CAST(country AS INTEGER) = 1",
        "country",
        "sleep(1)",
        "x" * 5000,
        "country = '\x00'; SELECT 1",
        "country = '\ud800'",
    ],
)
def test_forbidden_conditions_are_refused(table: ItemsTable, sql: str):
    with pytest.raises(FilterError):
        table.rows(Filter(sql=sql))


def test_error_messages_say_what_to_do(table: ItemsTable):
    with pytest.raises(FilterError, match=r"no column 'nosuch'; there are caption, captured_at"):
        table.rows(Filter(sql="nosuch = 1"))
    with pytest.raises(FilterError, match=r"cannot use getenv\(\); it can use functions of"):
        Filter(sql="getenv('HOME') = ''")
    with pytest.raises(FilterError, match="cannot hold a subquery"):
        Filter(sql="gsd_m = (SELECT 1)")
    with pytest.raises(FilterError, match=r"not one SQL expression.*syntax error"):
        Filter(sql="gsd_m <")
    with pytest.raises(FilterError, match="cannot be evaluated: could not convert"):
        table.rows(Filter(sql="CAST(country AS INTEGER) = 1"))


WORDS = """gsd_m country ( ) ' " ; -- /* */ SELECT FROM items _file mapped 1 = , OR AND UNION WHERE
read_csv $$"""
PIECES = st.sampled_from([*WORDS.split(), " ", "\n"])


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=12).map(" ".join), st.text(max_size=30)))
def test_any_text_is_a_valid_condition_or_is_refused(table: ItemsTable, text: str):
    try:
        rows = table.rows(Filter(sql=text))
    except FilterError:
        return
    assert set(rows.tolist()) <= set(range(len(ROWS)))
    assert "_file" not in text.lower() or "'" in text or "--" in text or "/*" in text


def test_the_database_cannot_read_files(tmp_path: Path):
    import duckdb

    from terraseek.catalogue.filters.database import cursor

    (tmp_path / "x.csv").write_text("a\n1\n")
    with cursor() as connection:
        for statement in (
            f"SELECT * FROM read_csv('{tmp_path}/x.csv')",
            f"SELECT * FROM '{tmp_path}/x.csv'",
            f"COPY (SELECT 1) TO '{tmp_path}/y.csv'",
            f"ATTACH '{tmp_path}/z.db'",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
