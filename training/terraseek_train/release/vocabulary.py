"""The words a model read with images, out of the recipes it was trained by, for its card.

    python -m terraseek_train.release.vocabulary CARD.json RECIPE.json...

Sentences of images count, those read alone (`rs5m_captions`) do not: a word that never stood
beside an image means nothing that could be seen.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

from terraseek.encoders.vocabulary import WORDS, content_words
from terraseek.errors import ConfigError
from terraseek.files import read_json, write_json
from terraseek_train.config import expand_variables
from terraseek_train.data.sources import read_captions
from terraseek_train.data.sources.templates import CONCEPTS, concept_texts

__all__ = ["recipe_sentences", "words_of", "write_words"]

_RARE = 5
"""A word of fewer images was hardly learnt, and is as often a slip of the pen."""


def words_of(captions: Iterable[Sequence[str]], rare: int = _RARE) -> str:
    """Content words of at least `rare` images, sorted, with blanks between them.

    Args:
        captions: the sentences of each image.
        rare: fewest images of a word.
    """
    count: Counter[str] = Counter()
    for sentences in captions:
        count.update({word for sentence in sentences for word in content_words(sentence)})
    return " ".join(sorted(word for word, images in count.items() if images >= rare))


def recipe_sentences(recipe: Path) -> list[Sequence[str]]:
    """Sentences of each image of a recipe's captioned sources.

    Raises:
        ConfigError: a source's variable is not set, or the recipe has no source.
        OSError: a file is missing.
    """
    sources = expand_variables(read_json(recipe).get("data"), recipe)
    if not sources:
        raise ConfigError(f"{recipe} has no data; give a recipe of `terraseek-train train`")
    listed = {
        (source["captions"], source.get("split")) for source in sources if source.get("captions")
    }
    return [
        sample.captions
        for captions, split in sorted(listed, key=str)
        for sample in read_captions(Path(captions), split)
    ]


def write_words(card: Path, recipes: Sequence[Path]) -> int:
    """Put the words of the recipes, and of the sentences made for class labels, into a card.

    Returns:
        How many there are.

    Raises:
        ConfigError: the card has no calibration, or a recipe cannot be used.
    """
    facts = read_json(card)
    if not facts.get("calibration"):
        raise ConfigError(f"{card} has no calibration; measure that first, words only add to it")
    captions = [one for recipe in recipes for one in recipe_sentences(recipe)]
    labelled = " ".join(content_words(" ".join(t for c in CONCEPTS for t in concept_texts(c))))
    words = " ".join(sorted(set(f"{words_of(captions)} {labelled}".split())))
    write_json(card, facts | {"calibration": facts["calibration"] | {WORDS: words}})
    return len(words.split())


def main(
    card: Path = typer.Argument(..., help="Model card with a calibration."),
    recipes: list[Path] = typer.Argument(..., help="Recipes it was trained by."),
) -> None:
    """Write the words a model read with images into its card."""
    typer.echo(f"{write_words(card, recipes)} words in {card}")


if __name__ == "__main__":
    typer.run(main)
