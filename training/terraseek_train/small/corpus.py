"""Training data: decoded images, sentences, and their vectors by MiniLM and a teacher."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float16, Int16, Int32, Int64, UInt8
from safetensors.torch import load_file

from terraseek.encoders.load import load_encoder
from terraseek.encoders.nets.minilm import MiniLM, bert_keys
from terraseek.encoders.nets.wordpiece import WordPiece
from terraseek.encoders.prompts import prompts
from terraseek.files import atomic_path
from terraseek.progress import Progress, silent
from terraseek_train.data.corpus import ImageColumns
from terraseek_train.data.read_source import decode_source, read_source
from terraseek_train.data.sources.templates import CONCEPTS, concept_texts
from terraseek_train.data.text_table import TextTable
from terraseek_train.small.settings import CONTEXT, Settings, minilm_sizes, vocabulary_bytes

__all__ = ["Corpus", "build_corpus", "minilm_of", "tokenizer_of"]

_STORED_SIDE = {"rsicd": 192, "nwpu8": 160}
"""Pixels at which the images of a source are stored."""
_SIDE = 128
"""Pixels of all other sources."""
_PROMPT_STRIDE = 5
"""One in so many zero-shot prompts is used for a phrase."""


@dataclass(frozen=True)
class Corpus:
    """Images and sentences of all sources; arrays over either share their rows."""

    images: Sequence[UInt8[np.ndarray, "n side side 3"]]
    source: Int16[np.ndarray, " rows"]
    row: Int32[np.ndarray, " rows"]
    place: Int64[np.ndarray, " rows"]
    """Id of the place shown; equal for images of the same place."""
    concept: Int16[np.ndarray, " rows"]
    label: Int16[np.ndarray, " rows"]
    captions: list[Int32[np.ndarray, " _"]]
    class_source: Int16[np.ndarray, " classes"]
    templates: list[Int32[np.ndarray, " _"]]
    """Sentences of each concept."""
    text_concepts: Bool[np.ndarray, "texts concepts"]
    """Concepts that a class sentence matches; rows of captions are False."""
    text_place: Int64[np.ndarray, " texts"]
    """Place of the first image with the sentence; -1 for class sentences."""
    text_concept: Int16[np.ndarray, " texts"]
    """Concept of that image; -1 if unknown."""
    text_means: Float16[np.ndarray, "texts levels_width"]
    """MiniLM's means over tokens of each level, concatenated."""
    teachers: list[tuple[Float16[np.ndarray, "rows d"], Float16[np.ndarray, "texts d"]]]
    """Vectors of all images and sentences by each teacher."""
    texts: list[str]


def build_corpus(settings: Settings, progress: Progress = silent) -> Corpus:
    """Read every source; decoded images and computed vectors are stored in the cache folder.

    Raises:
        ConfigError: an image is missing, or has neither a caption nor a known class.
    """
    cache, table = Path(settings.cache), TextTable([], [])
    templates = [
        np.array([table.add(text, number) for text in _class_sentences(concept)], np.int32)
        for number, concept in enumerate(CONCEPTS)
    ]
    images, teacher_images = [], []
    columns = ImageColumns()
    for number, source in enumerate(settings.data):
        samples, content = read_source(source)
        side = _STORED_SIDE.get(source.name, _SIDE)
        squares = decode_source(source, samples, content, side, cache, progress)
        images.append(squares)
        if settings.teacher:
            teacher_images.append(
                _teacher_images(settings.teacher, source.name, squares, cache, progress)
            )
        columns.add_source(number, source.name, samples, table)
    texts = table.texts
    place, concept = _first_images(columns, len(texts))
    return Corpus(
        images=images,
        source=np.array(columns.source, np.int16),
        row=np.array(columns.row, np.int32),
        place=np.array(columns.place, np.int64),
        concept=np.array(columns.concept, np.int16),
        label=np.array(columns.label, np.int16),
        captions=columns.captions,
        class_source=np.array([number for number, _ in columns.classes], np.int16),
        templates=templates,
        text_concepts=_matching_concepts(templates, len(texts)),
        text_place=place,
        text_concept=concept,
        text_means=_text_means(settings, texts, progress),
        teachers=[(np.concatenate(teacher_images), _teacher_texts(settings, texts))]
        if settings.teacher
        else [],
        texts=texts,
    )


def _first_images(
    columns: ImageColumns, n_texts: int
) -> tuple[Int64[np.ndarray, " texts"], Int16[np.ndarray, " texts"]]:
    """Return place and concept of the first image that has each sentence as a caption; else -1."""
    place, concept = np.full(n_texts, -1, np.int64), np.full(n_texts, -1, np.int16)
    rows = zip(columns.captions, columns.place, columns.concept, strict=True)
    for captions, image_place, image_concept in reversed(list(rows)):
        place[captions], concept[captions] = image_place, image_concept
    return place, concept


def _matching_concepts(
    templates: Sequence[Int32[np.ndarray, " _"]], n_texts: int
) -> Bool[np.ndarray, "texts concepts"]:
    """Return which concepts each sentence matches as a class sentence."""
    matching = np.zeros((n_texts, len(templates)), bool)
    for concept, texts in enumerate(templates):
        matching[texts, concept] = True
    return matching


def minilm_of(folder: Path, levels: Sequence[int]) -> MiniLM:
    """Load the published sentence encoder, in evaluation mode."""
    stored = {key: value.float() for key, value in load_file(folder / "model.safetensors").items()}
    model = MiniLM(levels, **minilm_sizes(folder))
    model.load_state_dict(bert_keys(stored))
    return model.eval().requires_grad_(False)


def tokenizer_of(folder: Path) -> WordPiece:
    """Load the tokenizer of the published sentence encoder."""
    return WordPiece(vocabulary_bytes(folder).decode("utf-8").split("\n"), CONTEXT)


def _class_sentences(concept: str) -> list[str]:
    """Return sentences for a concept: those of every source, and some of the zero-shot prompts.

    A frozen sentence encoder puts "a bad aerial image of ..." far from "an aerial image of ...";
    training with such prompts teaches that the difference says nothing about the place.
    """
    sentences = concept_texts(concept)
    for number, phrase in enumerate(CONCEPTS[concept]):
        bare = phrase.removeprefix("a ").removeprefix("an ").removeprefix("the ")
        templates = prompts()[number % _PROMPT_STRIDE :: _PROMPT_STRIDE]
        sentences += [template.format(bare) for template in templates]
    return sentences


def _text_means(
    settings: Settings, texts: Sequence[str], progress: Progress
) -> Float16[np.ndarray, "texts levels_width"]:
    def compute() -> np.ndarray:
        folder = Path(settings.minilm)
        model, tokenizer = minilm_of(folder, settings.levels), tokenizer_of(folder)
        order = np.argsort([len(text) for text in texts], kind="stable")
        out = np.empty((len(texts), len(settings.levels) * model.width), np.float16)
        with torch.inference_mode():
            for start in range(0, len(order), 256):
                part = order[start : start + 256]
                out[part] = model(tokenizer([texts[row] for row in part])).numpy()
                progress("MiniLM", start + len(part), len(order))
        return out

    return _cached(Path(settings.cache), "minilm", [*texts, str(settings.levels)], compute)


def _teacher_texts(settings: Settings, texts: Sequence[str]) -> Float16[np.ndarray, "texts d"]:
    encoder = str(settings.teacher)
    return _cached(
        Path(settings.cache),
        "teacher-texts",
        [*texts, encoder],
        lambda: load_encoder(encoder, "cpu").encode_texts(texts).astype(np.float16),
    )


def _teacher_images(
    name: str,
    source: str,
    squares: UInt8[np.ndarray, "n side side 3"],
    cache: Path,
    progress: Progress,
) -> Float16[np.ndarray, "n d"]:
    def compute() -> np.ndarray:
        encoder = load_encoder(name, "cpu")
        out = np.empty((len(squares), encoder.dim), np.float16)
        for start in range(0, len(squares), 64):
            out[start : start + 64] = encoder.encode_images(list(squares[start : start + 64]))
            progress(f"teacher {source}", start, len(squares))
        return out

    return _cached(
        cache, f"teacher-{source}", [name, str(squares.shape), str(squares[::97].sum())], compute
    )


def _cached(
    cache: Path, name: str, inputs: Sequence[str], compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """Load an array that was computed from the same inputs before, or compute and store it."""
    digest = hashlib.sha256(json.dumps(list(inputs)).encode()).hexdigest()[:12]
    stored = cache / f"{name}-{digest}.npy"
    if not stored.exists():
        computed = compute()
        with atomic_path(stored) as part, part.open("wb") as file:
            np.save(file, computed)
    array: np.ndarray = np.load(stored)
    return array
