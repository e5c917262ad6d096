"""The trained network: open_clip's two towers and the heads that exist during training only."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16, Int, UInt8
from torch import Tensor, nn

from terraseek.encoders.nets.text_tower import (
    encode_embeddings,
    is_causal,
    text_tower,
    trim_padding,
)
from terraseek_train.config import TrainConfig

__all__ = [
    "ClipWithHeads",
    "build_clip",
    "init_token_embedding",
    "parameter_groups",
    "save_weights",
    "token_texts",
]


def build_clip(arch: dict[str, Any]) -> nn.Module:
    """Build an untrained open_clip model, in training mode, from an inline model config."""
    from terraseek.encoders.nets.build import build_model

    return build_model(arch).train()


class ClipWithHeads(nn.Module):
    """CLIP plus two linear heads that exist during training only.

    `to_teacher` maps the joint space to the 384 dimensions of the sentence encoder, `classes` maps
    image features to logits of scene classes.
    """

    def __init__(self, arch: dict[str, Any], classes: int) -> None:
        super().__init__()
        self.clip: Any = build_clip(arch)
        dim = int(arch["embed_dim"])
        self.to_teacher = nn.Linear(dim, 384)
        self.classes = nn.Linear(dim, max(1, classes))

    def encode_pixels(
        self, pixels: UInt8[Tensor, "b side side 3"], mean: Tensor, std: Tensor
    ) -> Float[Tensor, "b dim"]:
        """Compute image features of RGB pixels; mean and std are on the scale 0 to 255."""
        # [b, side, side, 3] seen as [b, 3, side, side] is channels_last already
        return self.encode_images((pixels.permute(0, 3, 1, 2) - mean) / std)

    def encode_images(self, images: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b dim"]:
        """Compute image features of normalised pixels: float32, not of unit length."""
        features: Tensor = self.clip.visual(images)
        return features.float()

    def encode_texts(self, tokens: Int[Tensor, "t context"]) -> Float[Tensor, "t dim"]:
        """Compute text features: float32, not of unit length.

        The result is that of open_clip's `encode_text`. Sentences are split into three groups of
        similar length, and columns that are padding in a whole group are not computed: under the
        causal mask they cannot reach the end token.
        """
        tower = text_tower(self.clip)
        if not is_causal(tower):
            features: Tensor = self.clip.encode_text(trim_padding(tower, tokens))
            return features.float()
        # looked up once: its gradient has the size of the vocabulary and would be made per group
        embedded = tower.token_embedding(tokens)
        order = (tokens != 0).sum(1).argsort(stable=True)
        parts = []
        for rows in order.tensor_split(min(3, len(order))):
            cut = trim_padding(tower, tokens[rows])
            parts.append(encode_embeddings(tower, embedded[rows, : cut.shape[1]], cut).float())
        return torch.cat(parts)[order.argsort()]

    def used_token_rows(
        self, tokens: Int[np.ndarray, "texts context"]
    ) -> dict[nn.Parameter, Int[Tensor, " used"]]:
        """Map the token embedding to its rows that these sentences use; others get no gradient.

        Empty where the token embedding is frozen.
        """
        table = getattr(text_tower(self.clip), "token_embedding", None)
        if table is None or not table.weight.requires_grad:
            return {}
        weight: nn.Parameter = table.weight
        return {weight: torch.from_numpy(np.unique(tokens)).long().to(weight.device)}

    def freeze_token_embedding(self) -> None:
        """Exclude the token embedding from training."""
        text_tower(self.clip).token_embedding.requires_grad_(False)

    def scale(self) -> Float[Tensor, ""]:
        """Inverse temperature of the contrastive loss, at most 100."""
        limited: Tensor = self.clip.logit_scale.exp().clamp(max=100).reshape(())
        return limited


def token_texts() -> list[str]:
    """List the text of each of CLIP's 49,408 byte-pair tokens."""
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    texts = []
    for number in range(tokenizer.vocab_size):
        piece = tokenizer.decoder[number].replace("</w>", "")
        raw = bytearray(tokenizer.byte_decoder.get(letter, 32) for letter in piece)
        texts.append(raw.decode("utf-8", errors="replace").strip() or ".")
    return texts


def init_token_embedding(
    clip: Any,  # noqa: ANN401 - open_clip has no types
    vectors: Float16[np.ndarray, "vocabulary 384"],
) -> None:
    """Initialise the token embedding with the sentence encoder's vectors of single tokens.

    The vectors are reduced to the width of the text tower by principal components. A word that no
    caption holds then starts near words of similar meaning, not at random.
    """
    weight = clip.token_embedding.weight
    centred = torch.from_numpy(vectors.astype(np.float32))
    centred = centred - centred.mean(0)
    _, _, axes = torch.linalg.svd(centred[:: max(1, len(centred) // 8000)], full_matrices=False)
    reduced = centred @ axes[: weight.shape[1]].T
    with torch.no_grad():
        weight.zero_()
        weight[:, : reduced.shape[1]] = F.normalize(reduced, dim=-1) * 0.3


def save_weights(state: dict[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors, atomically."""
    from safetensors.torch import save_file

    from terraseek.files import atomic_path

    with atomic_path(path) as part:
        save_file({key: value.contiguous() for key, value in state.items()}, part)


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Split the parameters for AdamW: weight decay for matrices only.

    Vectors, embeddings and the temperature do not decay.
    """
    decay: list[nn.Parameter] = []
    no_decay: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        exempt = parameter.ndim < 2 or "embedding" in name
        (no_decay if exempt else decay).append(parameter)
    return [
        {"params": decay, "weight_decay": config.weight_decay},
        {"params": no_decay, "weight_decay": 0.0},
    ]
