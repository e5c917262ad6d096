"""What several test files share."""

from helpers import shapecheck  # pytest's --jaxtyping-packages reads it as an attribute

__all__ = ["shapecheck"]
