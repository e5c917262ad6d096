"""Ensembles of registered models, whatever their architectures.

The unit vectors of the members are concatenated, each scaled by the square root of its weight: the
cosine of two such vectors is the weighted mean of the members' cosines. Each member keeps its own
preprocessing and tokenizer. `encoders.nets.ensemble`, in contrast, is one network whose members
share their input.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.base import Encoder, unit
from terraseek.encoders.cards import EnsembleMember, ModelCard
from terraseek.encoders.dense_tower import DenseTower
from terraseek.errors import ConfigError, WeightsChecksumError
from terraseek.progress import Progress, silent

__all__ = ["EnsembleEncoder", "ensemble_card"]


class EnsembleEncoder(Encoder):
    """Encoder whose vectors are those of its members, concatenated."""

    card: ModelCard

    def __init__(self, card: ModelCard, members: Sequence[Encoder]) -> None:
        """Combine loaded encoders.

        Args:
            card: with the members and their weights in `ensemble`.
            members: their encoders, in the same order.

        Raises:
            WeightsChecksumError: a member is not the encoder that the card names.
            ConfigError: the card has another length of vectors than its members.
        """
        for planned, member in zip(card.ensemble, members, strict=True):
            if planned.encoder_id != member.encoder_id:
                raise WeightsChecksumError(
                    f"ensemble {card.name!r} was made of {planned.encoder_id}, but model "
                    f"{planned.model!r} is now {member.encoder_id}; register the ensemble anew"
                )
        self.card, self.members = card, list(members)
        self.name = card.name
        self.encoder_id = card.encoder_id(card.weights.sha256 or "")
        self.dim = sum(member.dim for member in members)
        self.image_size = max(member.image_size for member in members)
        self._lengths = [member.weight**0.5 for member in card.ensemble]
        if self.dim != card.embed_dim:
            raise ConfigError(
                f"card {card.name!r} has embed_dim {card.embed_dim}, but its members output "
                f"{self.dim}"
            )

    def token_count(self, text: str) -> tuple[int, int]:
        """Return the number of tokens of the member that truncates `text` most, and its limit."""
        counts = [member.token_count(text) for member in self.members]
        return max(counts, key=lambda count: count[0] - count[1])

    @cached_property
    def dense(self) -> DenseTower | None:
        """Feature maps of all members as one; None if a member has none, or cells of another size.

        All members see the same pixels only where their input squares are equal.
        """
        towers = [member.dense for member in self.members]
        found = [tower for tower in towers if tower is not None]
        layouts = {(t.kind, t.side, t.cell, t.box) for t in found}
        sides = {member.image_size for member in self.members}
        if len(found) < len(towers) or len(layouts) > 1 or len(sides) > 1:
            return None
        ends = np.cumsum([tower.channels for tower in found])[:-1]

        def cells(blocks: UInt8[np.ndarray, "n side side 3"]) -> Float32[np.ndarray, "n g g c"]:
            return np.concatenate([tower.cells(blocks) for tower in found], axis=-1)

        def project(means: Float32[np.ndarray, "n c"]) -> Float32[np.ndarray, "n dim"]:
            parts = np.split(means, ends, axis=1)
            return self._concatenate(
                [tower.project(part) for tower, part in zip(found, parts, strict=True)]
            )

        first = found[0]
        channels = sum(tower.channels for tower in found)
        return replace(first, channels=channels, cells=cells, project=project)

    def _concatenate(
        self, features: Sequence[Float32[np.ndarray, "n _"]]
    ) -> Float32[np.ndarray, "n dim"]:
        scaled = zip(features, self._lengths, strict=True)
        return np.concatenate([unit(part) * length for part, length in scaled], axis=1)

    def encode_images(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], progress: Progress = silent
    ) -> Float32[np.ndarray, "n dim"]:
        """Encode RGB images of any size, each member with its own preprocessing."""
        return self._concatenate([m.encode_images(images, progress) for m in self.members])

    def _encode_image_batch(
        self, batch: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        return self._concatenate([member.encode_images(list(batch)) for member in self.members])

    def _encode_text_batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
        return self._concatenate([member.encode_texts(texts) for member in self.members])


def ensemble_card(name: str, members: Sequence[tuple[Encoder, float]]) -> ModelCard:
    """Create the card of an ensemble; nothing measured on a member holds for it.

    Args:
        name: of the ensemble.
        members: encoders with a model card, and their weights relative to each other.

    Raises:
        ConfigError: fewer than two members, one twice, one without card, an ensemble among them,
            or a weight that is not above 0.
    """
    cards = [encoder.card for encoder, _ in members if encoder.card is not None]
    names = [card.name for card in cards]
    if len(cards) < 2 or len(set(names)) < len(members) or any(c.ensemble for c in cards):
        raise ConfigError(
            f"ensemble of {names or 'nothing'}: give at least two different models with weights, "
            "none of them an ensemble itself"
        )
    if min(weight for _, weight in members) <= 0:
        raise ConfigError("the weights of an ensemble's members must be above 0")
    total = sum(weight for _, weight in members)
    gsds = [card.gsd_range_m for card in cards if card.gsd_range_m is not None]
    return replace(
        cards[0],
        name=name,
        title=name,
        description=f"Ensemble of {' and '.join(names)}.",
        ensemble=tuple(
            EnsembleMember(encoder.name, encoder.encoder_id, weight / total)
            for encoder, weight in members
        ),
        embed_dim=sum(encoder.dim for encoder, _ in members),
        parameters=sum(card.parameters or 0 for card in cards) or None,
        languages=tuple(x for x in cards[0].languages if all(x in c.languages for c in cards)),
        gsd_range_m=(max(g[0] for g in gsds), min(g[1] for g in gsds)) if gsds else None,
        licence="; ".join(dict.fromkeys(f"{card.name}: {card.licence}" for card in cards)),
        hub=None,
        scores={},
        calibration=None,
        training=None,
        limitations=(),
    )
