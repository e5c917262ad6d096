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
    encode_tokens,
    is_causal,
    text_tower,
    trim_padding,
)
from terraseek_train.config import TrainConfig
from terraseek_train.evaluate.retrieval import Retrieved, retrieve
from terraseek_train.loop.device_batch import DeviceBatch
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.peft import reads_padding

__all__ = [
    "ClipModel",
    "ClipWithHeads",
    "build_clip",
    "init_token_embedding",
    "parameter_groups",
    "save_weights",
    "token_texts",
    "weights_of",
]


def build_clip(arch: dict[str, Any]) -> nn.Module:
    """Build an untrained open_clip model, in training mode, from an inline model config."""
    from terraseek.encoders.nets.build import build_model

    return build_model(arch).train()


class ClipModel(nn.Module):
    """An open_clip model in training; each method subclasses it with its parts and its loss.

    A tower's features are one tensor with a row per image or sentence, whatever a method needs of
    them, so that `loop.gradients.backward` can compute them in chunks.
    """

    def __init__(self, arch: dict[str, Any]) -> None:
        super().__init__()
        self.clip: Any = build_clip(arch)

    def train(self, mode: bool = True) -> "ClipModel":
        """Set training mode for everything except frozen batch norms.

        The statistics of a frozen batch norm belong to the initial weights and are kept.
        """
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not any(
                p.requires_grad for p in module.parameters()
            ):
                module.eval()
        return self

    def start_batch(self, number: int) -> None:
        """Prepare for a batch, counted from 0; called before its features are computed."""

    def text_inputs(self, batch: DeviceBatch, group: ProcessGroup) -> Int[Tensor, "rows length"]:
        """Rows that the text tower encodes for a batch; the sentences of its images come first."""
        return batch.tokens

    def trimmed(self, tokens: Int[Tensor, "t context"]) -> Int[Tensor, "t length"]:
        """Remove what `encode_texts` need not see of captions that are encoded in parts."""
        return tokens

    def loss(
        self,
        batch: DeviceBatch,
        image: Float[Tensor, "b ..."],
        text: Float[Tensor, "rows ..."],
        group: ProcessGroup,
        scores: Float[Tensor, "all all"] | None = None,
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute the loss that this process minimises, and its terms by name for the log.

        Args:
            batch: the local rows.
            image: of `encode_pixels`.
            text: of `encode_texts`, for the rows of `text_inputs`.
            group: the processes that share the batch.
            scores: scores of the whole batch by a teacher, images by sentences.
        """
        raise NotImplementedError

    def scores(
        self,
        image: Float[Tensor, "n ..."],
        text: Float[Tensor, "m ..."],
        tokens: Int[Tensor, "m context"],
    ) -> Float[Tensor, "n m"]:
        """Score all images with all sentences, as the method does; arguments as `retrieve`."""
        return F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T

    def retrieve(
        self,
        image: Float[Tensor, "n ..."],
        text: Float[Tensor, "m ..."],
        tokens: Int[Tensor, "m context"],
        image_of: Int[np.ndarray, " m"],
    ) -> Retrieved:
        """Rank all images with all captions, as the method scores them.

        Args:
            image: of `encode_pixels`.
            text: of `encode_texts`.
            tokens: of the captions.
            image_of: image row of every caption.
        """
        images, texts = (F.normalize(part, dim=-1).cpu().numpy() for part in (image, text))
        return retrieve(images, texts, image_of)

    def loop_state(self) -> dict[str, Any]:
        """State beside the weights that an interrupted run must find again."""
        return {}

    def load_loop_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `loop_state`."""

    def encode_pixels(
        self, pixels: UInt8[Tensor, "b side side 3"], mean: Tensor, std: Tensor
    ) -> Float[Tensor, "b ..."]:
        """Compute image features of RGB pixels; mean and std are on the scale 0 to 255."""
        # [b, side, side, 3] seen as [b, 3, side, side] is channels_last already
        return self.encode_images((pixels.permute(0, 3, 1, 2) - mean) / std)

    def encode_images(self, images: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b ..."]:
        """Compute image features of normalised pixels: float32, not of unit length."""
        features: Tensor = self.clip.visual(images)
        return features.float()

    def encode_texts(self, tokens: Int[Tensor, "t context"]) -> Float[Tensor, "t ..."]:
        """Compute text features: float32, not of unit length.

        The result is that of open_clip's `encode_text`. Sentences are split into three groups of
        similar length, and columns that are padding in a whole group are not computed: under the
        causal mask they cannot reach the end token.
        """
        tower = text_tower(self.clip)
        if reads_padding(self.clip):
            return encode_tokens(self.clip, tokens).float()
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


class ClipWithHeads(ClipModel):
    """CLIP plus two linear heads that exist during training only.

    `to_teacher` maps the joint space to the 384 dimensions of the sentence encoder, `classes` maps
    image features to logits of scene classes.
    """

    def __init__(self, arch: dict[str, Any], classes: int) -> None:
        super().__init__(arch)
        dim = int(arch["embed_dim"])
        self.to_teacher = nn.Linear(dim, 384)
        self.classes = nn.Linear(dim, max(1, classes))


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Tensors of a model by name, each once, where modules share them under its first name."""
    first = {name for name, _ in model.named_parameters()}
    first |= {name for name, _ in model.named_buffers()}
    return {key: value for key, value in model.state_dict().items() if key in first}


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
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    for name, parameter in model.named_parameters():
        exempt = parameter.ndim < 2 or "embedding" in name or id(parameter) in tables
        (no_decay if exempt else decay).append(parameter)
    return [
        {"params": decay, "weight_decay": config.weight_decay},
        {"params": no_decay, "weight_decay": 0.0},
    ]
