"""Write the vocabulary of a model, from the captions in its recipes, into its card.

    python -m terraseek_train.release.vocabulary CARD.json RECIPE.json...

Sentences without an image (`rs5m_captions`) do not count: the model never learnt what their words
look like.
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

__all__ = ["frequent_words", "recipe_captions", "write_vocabulary"]

_RARE = 5
"""Words in the captions of fewer images are hardly learnt, and often misspelt."""


def frequent_words(captions: Iterable[Sequence[str]], rare: int = _RARE) -> str:
    """List the content words in the captions of at least `rare` images, sorted, space-separated.

    Args:
        captions: the captions of each image.
        rare: smallest number of images of a word.
    """
    count: Counter[str] = Counter()
    for sentences in captions:
        count.update({word for sentence in sentences for word in content_words(sentence)})
    return " ".join(sorted(word for word, images in count.items() if images >= rare))


def recipe_captions(recipe: Path) -> list[Sequence[str]]:
    """Read the captions of each image in a recipe's captioned sources.

    Raises:
        ConfigError: an environment variable is not set, or the recipe has no source.
        OSError: a file is missing.
    """
    sources = expand_variables(read_json(recipe).get("data"), recipe)
    if not sources:
        raise ConfigError(f"{recipe} has no data; give a recipe of `terraseek-train train`")
    caption_files = {
        (source["captions"], source.get("split")) for source in sources if source.get("captions")
    }
    return [
        sample.captions
        for captions, split in sorted(caption_files, key=str)
        for sample in read_captions(Path(captions), split)
    ]


def write_vocabulary(card: Path, recipes: Sequence[Path]) -> int:
    """Write the words of recipes, and those of the template sentences, into a card.

    Returns:
        Number of words.

    Raises:
        ConfigError: the card has no calibration, or a recipe cannot be used.
    """
    facts = read_json(card)
    if not facts.get("calibration"):
        raise ConfigError(f"{card} has no calibration, which the words belong to; measure it first")
    captions = [sentences for recipe in recipes for sentences in recipe_captions(recipe)]
    templates = " ".join(text for concept in CONCEPTS for text in concept_texts(concept))
    template_words = " ".join(content_words(templates))
    words = " ".join(sorted(set(f"{frequent_words(captions)} {template_words}".split())))
    write_json(card, facts | {"calibration": facts["calibration"] | {WORDS: words}})
    return len(words.split())


def main(
    card: Path = typer.Argument(..., help="Model card with a calibration."),
    recipes: list[Path] = typer.Argument(..., help="Recipes that the model was trained with."),
) -> None:
    """Write the vocabulary of a model into its card."""
    typer.echo(f"{write_vocabulary(card, recipes)} words in {card}")


if __name__ == "__main__":
    typer.run(main)
