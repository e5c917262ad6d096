"""The DuckDB database of the process ends quietly with it."""

import subprocess
import sys

CODE = """
import pandas as pd
from terraseek.catalogue.filters.apply import ItemsTable
from terraseek.catalogue.filters.filter import Filter
table = ItemsTable.from_frame(pd.DataFrame({"label": ["a", "b"], "gsd_m": [1.0, 2.0]}))
print(table.rows(Filter(sql="gsd_m > 1")).tolist())
"""


def test_nothing_is_listed_as_a_leak_when_the_process_ends() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "[1]\n"
    assert done.stderr == ""
