"""The two towers as open_clip builds them, with what training alone needs beside them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from terraseek_train.config import TrainConfig

__all__ = ["Trainee", "build_clip", "init_token_embedding", "token_words"]


def build_clip(arch: dict[str, Any]) -> nn.Module:
    """An untrained open_clip model of an inline model config."""
    from terraseek.encoders.nets.build import build_model

    return build_model(arch).train()


class Trainee(nn.Module):
    """CLIP plus the two heads that exist during training only.

    `to_teacher` maps the joint space to the sentence teacher's 384 dimensions, `classes` maps image
    features to scene classes.
    """

    def __init__(self, arch: dict[str, Any], classes: int) -> None:
        super().__init__()
        self.clip: Any = build_clip(arch)
        dim = int(arch["embed_dim"])
        self.to_teacher = nn.Linear(dim, 384)
        self.classes = nn.Linear(dim, max(1, classes))

    def squares(
        self, pixels: UInt8[Tensor, "b side side 3"], mean: Tensor, std: Tensor
    ) -> Float[Tensor, "b dim"]:
        """Image features of RGB pixels, normalised with mean and std on the scale 0 to 255."""
        # [b, side, side, 3] seen as [b, 3, side, side] is channels_last already
        return self.images((pixels.permute(0, 3, 1, 2) - mean) / std)

    def images(self, pixels: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b dim"]:
        """Image features, any length, float32."""
        features: Tensor = self.clip.visual(pixels)
        return features.float()

    def texts(self, tokens: Int[Tensor, "t context"]) -> Float[Tensor, "t dim"]:
        """Text features, any length, float32.

        The same as open_clip's `encode_text`, but sentences are taken in thirds of similar length
        and columns that are padding in a whole third are not computed: under the causal mask they
        cannot reach the end token.
        """
        tower = text_tower(self.clip)
        if not is_causal(tower):
            whole: Tensor = self.clip.encode_text(trim_padding(tower, tokens))
            return whole.float()
        # once for all: its gradient, as large as the vocabulary, is otherwise made for each third
        words = tower.token_embedding(tokens)
        order = (tokens != 0).sum(1).argsort(stable=True)
        parts = []
        for rows in order.tensor_split(min(3, len(order))):
            said = trim_padding(tower, tokens[rows])
            parts.append(encode_embeddings(tower, words[rows, : said.shape[1]], said).float())
        return torch.cat(parts)[order.argsort()]

    def words_used(
        self, tokens: Int[np.ndarray, "texts context"]
    ) -> dict[nn.Parameter, Int[Tensor, " used"]]:
        """The token embedding with its rows that these sentences use; the others never learn."""
        table = getattr(text_tower(self.clip), "token_embedding", None)
        if table is None or not table.weight.requires_grad:
            return {}
        weight: nn.Parameter = table.weight
        return {weight: torch.from_numpy(np.unique(tokens)).long().to(weight.device)}

    def freeze_words(self) -> None:
        """Leave the token embedding as it is from now on."""
        text_tower(self.clip).token_embedding.requires_grad_(False)

    def scale(self) -> Float[Tensor, ""]:
        """Inverse temperature of the contrastive loss, at most 100."""
        limited: Tensor = self.clip.logit_scale.exp().clamp(max=100).reshape(())
        return limited


def token_words() -> list[str]:
    """The text of each of CLIP's 49,408 byte-pair tokens."""
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    words = []
    for number in range(tokenizer.vocab_size):
        piece = tokenizer.decoder[number].replace("</w>", "")
        raw = bytearray(tokenizer.byte_decoder.get(letter, 32) for letter in piece)
        words.append(raw.decode("utf-8", errors="replace").strip() or ".")
    return words


def init_token_embedding(
    clip: Any,  # noqa: ANN401 - open_clip has no types
    vectors: Float16[np.ndarray, "vocabulary 384"],
) -> None:
    """Start the token embedding from the teacher's vectors of single words.

    Principal components keep what fits into the tower's width; so words no caption holds start near
    words of similar meaning instead of at random.
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
    """Write tensors as safetensors, whole or not at all."""
    from safetensors.torch import save_file

    from terraseek.files import atomic_path

    with atomic_path(path) as part:
        save_file({key: value.contiguous() for key, value in state.items()}, part)


def parameter_groups(model: nn.Module, config: "TrainConfig") -> list[dict[str, Any]]:
    """Two groups: matrices decay; vectors, embeddings and the temperature do not."""
    decay: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        flat = parameter.ndim < 2 or "embedding" in name
        (plain if flat else decay).append(parameter)
    return [
        {"params": decay, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
