"""The three criteria of RS5M's human ratings, with a description of each of the five levels.

RS5M asked raters to score relevance and detail, hallucination, and fluency from 1 to 5 (Zhang et
al., RS5M and GeoRSCLIP, arXiv 2306.11300, section on human evaluation). 5 is always best, so 5 for
hallucination means that nothing is invented.
"""

from dataclasses import dataclass

__all__ = ["CRITERIA", "MAX_SCORE", "MIN_SCORE", "Criterion", "criterion"]

MIN_SCORE = 1
MAX_SCORE = 5


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion by which a caption is scored."""

    key: str
    """Name in files, as in RS5M's rating tables."""
    title: str
    """Name on the page."""
    question: str
    """Question the rater answers."""
    levels: tuple[str, str, str, str, str]
    """Meaning of 1, 2, 3, 4 and 5."""

    def level(self, score: int) -> str:
        """Description of a score from 1 to 5."""
        return self.levels[score - MIN_SCORE]


CRITERIA = (
    Criterion(
        "relevance_detail",
        "Relevance and detail",
        "Does the caption describe this picture, and how much of it?",
        (
            "About something else",
            "Touches the picture, misses its main content",
            "Main content right, hardly any detail",
            "Right, with some detail",
            "Right, and rich in fitting detail",
        ),
    ),
    Criterion(
        "hallucination",
        "Hallucination",
        "Does it claim things that are not there? 5 means none.",
        (
            "Mostly made up",
            "Several claims are made up",
            "One clear claim is made up",
            "A doubtful word, nothing that misleads",
            "Nothing made up",
        ),
    ),
    Criterion(
        "fluency",
        "Fluency",
        "Does it read like a sentence a person would write?",
        (
            "Not understandable",
            "Hard to read",
            "Understandable, clearly clumsy",
            "Reads well, a small slip",
            "Reads naturally",
        ),
    ),
)


def criterion(key: str) -> Criterion:
    """Look up a criterion by its key.

    Raises:
        KeyError: there is no such criterion.
    """
    return {c.key: c for c in CRITERIA}[key]
