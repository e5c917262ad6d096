"""One image with its captions and label."""

from dataclasses import dataclass

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """An image by name, its captions and, if known, its scene class."""

    image: str
    """Name of the image inside its source."""
    captions: tuple[str, ...]
    label: str | None = None
    """Scene class as spelled by the source."""
    split: str = "train"
