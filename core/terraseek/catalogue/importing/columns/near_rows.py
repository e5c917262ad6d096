"""Reading of single rows of an Arrow table, most of which are near each other."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NearRows"]


class NearRows:
    """The rows around the last one that was found: tables are mostly in the order of the images.

    Cells of Arrow are converted one by one at ten times the cost of a column. A block of rows is
    therefore converted once two rows in it were wanted one after the other.
    """

    _ROWS = 512

    def __init__(self) -> None:
        self._wanted: tuple[int, int] | None = None
        self._place: tuple[int, int] | None = None
        self._rows: list[dict[str, Any]] = []

    def cells(self, chunk: "pa.Table", number: int, row: int) -> dict[str, Any]:
        """Cells of a row of the chunk with this number, by column."""
        block, place = divmod(row, self._ROWS)
        if self._place == (number, block):
            return self._rows[place]
        if self._wanted != (number, block):
            self._wanted = (number, block)
            return {name: chunk[name][row].as_py() for name in chunk.schema.names}
        self._place = (number, block)
        self._rows = chunk.slice(block * self._ROWS, self._ROWS).to_pylist()
        return self._rows[place]
