"""What one action of a rater is: a record that is written once and never changed."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, get_args

from terraseek import __version__
from terraseek.errors import ReviewError
from terraseek.review.criteria import CRITERIA, MAX_SCORE, MIN_SCORE

__all__ = ["Action", "Review", "Source", "caption_hash", "new_id", "now"]

Action = Literal["accept", "edit", "skip", "rate", "retract"]
"""`rate` gives scores without a verdict; `retract` takes this rater's earlier record back."""
Source = Literal["app", "import", "cli"]

_KEYS = {c.key for c in CRITERIA}


def now() -> str:
    """This moment, UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """A fresh event id."""
    return str(uuid.uuid4())


def caption_hash(caption: str) -> str:
    """Hex SHA-256 of the caption's UTF-8 bytes: tells later whether it was this text."""
    return hashlib.sha256(caption.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Review:
    """One action of one rater on one item.

    Scores are about `caption`, the text that was shown, also where the rater wrote a better one.
    Raises `ReviewError` for a blank item or rater, an unknown action or criterion, a score outside
    1 to 5, or an edit without text.
    """

    item_id: str
    rater: str
    action: Action
    caption: str = ""
    """Caption as it was shown."""
    edited: str | None = None
    """The rater's own caption; only with `edit`."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """Criterion key → 1 to 5; criteria without a score are absent."""
    comment: str = ""
    flags: tuple[str, ...] = ()
    """Codes of the automatic flags that were shown beside the caption."""
    image: str = ""
    """The item's image reference, or the `image_path` of an imported rating."""
    queue: str = ""
    """What the rater was working through, in words."""
    started_at: str | None = None
    """When the item was shown, UTC ISO 8601; None where unknown."""
    submitted_at: str | None = field(default_factory=now)
    """When the rater decided, UTC ISO 8601; None for imported ratings, whose files have no time."""
    source: Source = "app"
    app_version: str = __version__
    event_id: str = field(default_factory=new_id)
    seq: int = 0
    """Place in the log, from 1; 0 before it is written."""
    recorded_at: str = ""
    """When the log took it, UTC ISO 8601; empty before."""
    supersedes: str | None = None
    """Event id of this rater's previous record of the item; set by the log."""

    def __post_init__(self) -> None:
        if not self.item_id.strip():
            raise ReviewError("a review needs the id of an item; this one is blank")
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
            raise ReviewError(f"only an edit carries a new caption, not {self.action!r}")

    @property
    def final_caption(self) -> str | None:
        """The caption this rater stands behind: edited or accepted, else None."""
        if self.action == "edit":
            return self.edited
        return self.caption if self.action == "accept" else None

    @property
    def seconds(self) -> float | None:
        """Time the rater took; None where either end is unknown."""
        if self.started_at is None or self.submitted_at is None:
            return None
        start, end = map(datetime.fromisoformat, (self.started_at, self.submitted_at))
        return max(0.0, (end - start).total_seconds())
