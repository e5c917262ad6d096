"""The log of a run as TensorBoard events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terraseek.errors import MissingExtraError

__all__ = ["TensorBoardLog"]


class TensorBoardLog:
    """Writes the numbers of a log record under `train/`, those of validation under `val/`."""

    def __init__(self, folder: Path | None, step: int) -> None:
        """Open the event files.

        Args:
            folder: where the event files go; None writes nothing.
            step: step the run resumes from; events of later steps are hidden.

        Raises:
            MissingExtraError: TensorBoard is not installed.
        """
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                'tensorboard is not installed: pip install "terraseek[train]", or set '
                '"tensorboard" to false'
            ) from error
        make: Any = SummaryWriter  # torch has no types here
        self._writer = make(str(folder), purge_step=step + 1)

    def add(self, record: Mapping[str, Any]) -> None:
        """Write one record of `log.jsonl`."""
        if self._writer is None:
            return
        for name, value in record.items():
            if isinstance(value, int | float) and name != "step":
                self._writer.add_scalar(f"train/{name}", value, record["step"])
        for split, scores in record.get("val", {}).items():
            for name, value in scores.items():
                if isinstance(value, int | float):
                    self._writer.add_scalar(f"val/{split}/{name}", value, record["step"])

    def close(self) -> None:
        """Flush and close the event files."""
        if self._writer is not None:
            self._writer.close()
