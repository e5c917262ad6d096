"""Warnings shown with a heat map: resolution outside the training range, words never read."""

from collections.abc import Sequence

from terraseek.encoders.cards import ModelCard
from terraseek.encoders.vocabulary import unknown_words
from terraseek.localization.windows.lattice import Lattice
from terraseek.scenes import Scene

__all__ = ["gsd_warnings", "unknown_word_warnings"]


def gsd_warnings(
    scene: Scene, lattice: Lattice, card: ModelCard | None, image_size: int
) -> list[str]:
    """Warn where windows are coarser or finer than the images the model was trained with.

    A window of s pixels of g metres, resized to `image_size` pixels, has pixels of
    s g / image_size metres.

    Args:
        scene: open scene; without a ground sample distance there is no warning.
        lattice: its windows.
        card: model card of the encoder, with the range of its training images.
        image_size: side in pixels of the encoder's input.
    """
    if card is None or card.gsd_range_m is None or scene.gsd_m is None:
        return []
    low, high = card.gsd_range_m
    outside = []
    for scale in lattice.scales:
        resized_gsd_m = scale * scene.gsd_m / image_size
        if not low <= resized_gsd_m <= high:
            outside.append(f"{scale} px ({resized_gsd_m:.2g} m)")
    if not outside:
        return []
    return [
        f"windows of {', '.join(outside)} per pixel as {card.name} sees them lie outside the "
        f"{low:g} to {high:g} m it was trained on; expect less of them"
    ]


def unknown_word_warnings(sentences: Sequence[str], card: ModelCard | None) -> list[str]:
    """Warn of words that no training sentence of the model contained."""
    words = [] if card is None else unknown_words(sentences, card.calibration)
    if card is None or not words:
        return []
    quoted = ", ".join(f"{word!r}" for word in words)
    return [f"{card.name} never read {quoted} with a picture and cannot know what that looks like"]
