"""One image with what is said about it."""

from dataclasses import dataclass

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """An image by name, its captions and, where known, its scene class."""

    image: str
    """File name inside its source, without folders."""
    captions: tuple[str, ...]
    label: str | None = None
    """Scene class as the source spells it."""
    split: str = "train"
