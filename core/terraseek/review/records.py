"""Review records: one action of a rater each, written once and never changed."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, get_args

from terraseek.errors import ReviewError
from terraseek.review.criteria import CRITERIA, MAX_SCORE, MIN_SCORE
from terraseek.version import __version__

__all__ = ["Action", "Review", "Source", "caption_hash", "new_id", "now"]

Action = Literal["accept", "edit", "skip", "rate", "retract"]
"""`rate` gives scores but neither accepts nor edits the caption; `retract` withdraws the earlier
record of the same rater."""
Source = Literal["app", "import", "cli"]

_KEYS = {c.key for c in CRITERIA}


def now() -> str:
    """Current time, UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """Make a random event id."""
    return str(uuid.uuid4())


def caption_hash(caption: str) -> str:
    """Hex SHA-256 of the caption's UTF-8 bytes, to check later that the text has not changed."""
    return hashlib.sha256(caption.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Review:
    """One action of one rater on one item.

    Scores refer to `caption`, the text that was shown, even if the rater edited it. Raises
    `ReviewError` for a blank item or rater, an unknown action or criterion, a score outside 1 to 5,
    or an edit without text.
    """

    item_id: str
    rater: str
    action: Action
    caption: str = ""
    """Caption shown to the rater."""
    edited: str | None = None
    """Caption written by the rater; only with `edit`."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """Criterion key to score, 1 to 5; criteria without a score are absent."""
    comment: str = ""
    flags: tuple[str, ...] = ()
    """Codes of the automatic flags shown beside the caption."""
    image: str = ""
    """Image reference of the item, or the `image_path` of an imported rating."""
    queue: str = ""
    """Description of the queue of items that the rater worked on."""
    started_at: str | None = None
    """Time at which the item was shown, UTC ISO 8601; None if unknown."""
    submitted_at: str | None = field(default_factory=now)
    """Time of the decision, UTC ISO 8601; None for imported ratings, whose files state no time."""
    source: Source = "app"
    app_version: str = __version__
    event_id: str = field(default_factory=new_id)
    seq: int = 0
    """Position in the log, from 1; 0 before the record is written."""
    recorded_at: str = ""
    """Time at which the record was written, UTC ISO 8601; empty before."""
    supersedes: str | None = None
    """Event id of the same rater's previous record of the item; set by the log."""

    def __post_init__(self) -> None:
        if not self.item_id.strip():
            raise ReviewError("a review needs the id of an item, which is blank; give the id")
        if not self.rater.strip():
            raise ReviewError("a review needs the name of its rater; enter a name first")
        if self.action not in get_args(Action):
            raise ReviewError(
                f"unknown review action {self.action!r}; known: {', '.join(get_args(Action))}"
            )
        self._check_scores()
        self._check_edit()
        object.__setattr__(self, "scores", MappingProxyType(dict(self.scores)))

    def _check_scores(self) -> None:
        for key, score in self.scores.items():
            if key not in _KEYS:
                raise ReviewError(f"unknown criterion {key!r}; known: {', '.join(sorted(_KEYS))}")
            whole = isinstance(score, int) and not isinstance(score, bool)
            if not whole or not MIN_SCORE <= score <= MAX_SCORE:
                raise ReviewError(
                    f"score {score!r} for {key} is not a whole number from {MIN_SCORE} to "
                    f"{MAX_SCORE}"
                )

    def _check_edit(self) -> None:
        if self.action == "edit" and not (self.edited or "").strip():
            raise ReviewError("the edited caption is empty; write one, or accept or skip the item")
        if self.action != "edit" and self.edited is not None:
            raise ReviewError(f"only the action 'edit' has a new caption, not {self.action!r}")

    @property
    def final_caption(self) -> str | None:
        """Edited or accepted caption; None for other actions."""
        if self.action == "edit":
            return self.edited
        return self.caption if self.action == "accept" else None

    @property
    def seconds(self) -> float | None:
        """Time the rater took, in seconds; None if the start or the end is unknown."""
        if self.started_at is None or self.submitted_at is None:
            return None
        start, end = map(datetime.fromisoformat, (self.started_at, self.submitted_at))
        return max(0.0, (end - start).total_seconds())
