"""Encoders that run an open_clip network."""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from terraseek.encoders.adapters import attach_adapter
from terraseek.encoders.base import Encoder, Precision, fit_square
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.dense_tower import DenseTower, central_cells
from terraseek.encoders.nets.build import build_model, build_tokenizer
from terraseek.encoders.nets.checkpoints import load_weights
from terraseek.encoders.nets.compiled import CompiledLater, PixelNetwork, kept_file
from terraseek.encoders.nets.feature_maps import tower_feature_map
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.published.tokenizer_file import FileTokenizer
from terraseek.encoders.nets.text_tower import encode_tokens, text_tower, trim_padding
from terraseek.encoders.weight_files import find_tokenizer, verify
from terraseek.errors import ConfigError

__all__ = ["OpenClipEncoder", "pick_device", "supports_bfloat16"]


class OpenClipEncoder(Encoder):
    """Encoder with an open_clip network, described by a model card.

    It can be shared between threads: one forward pass runs at a time, which is also the fastest way
    on a CPU, because each pass uses all cores.
    """

    card: ModelCard

    def __init__(
        self, card: ModelCard, device: str = "auto", precision: Precision = "float32"
    ) -> None:
        """Build the network and load its weights.

        Args:
            card: of the model.
            device: `auto` is CUDA if available, else the CPU; or a torch device name.
            precision: with `bfloat16` vectors differ by about 1e-2, and CPUs with bfloat16
                instructions encode several times as many images a second, see docs/benchmarks.md.

        Raises:
            WeightsNotFoundError: the weights are not on this machine.
            WeightsChecksumError: their checksum is not that of the card.
            WeightsLayoutError: they do not fit the architecture.
            ConfigError: device, precision or architecture is not available; `bfloat16` is refused
                on a CPU that would emulate it, thirty times as slow.
        """
        self.card = card
        self.device = pick_device(device)
        self._autocast = precision == "bfloat16"
        if self._autocast and not supports_bfloat16(self.device):
            raise ConfigError(
                "precision bfloat16 needs a CUDA device or a CPU with AVX-512 or AMX bfloat16, "
                f"which this {self.device.type} device is not; use float32"
            )
        weights = verify(card)
        if card.tokenizer is not None:
            find_tokenizer(card)  # before gigabytes of weights are read
        self.name = card.name
        self.encoder_id = card.encoder_id(weights.sha256)
        self.dim = card.embed_dim
        self.image_size = card.preprocess.size
        model = build_model(card.architecture)
        load_weights(model, weights.path)
        attach_adapter(model, card)
        tokenizer: Any = getattr(
            model, "tokenizer", None
        )  # of networks that store their vocabulary
        self._tokenizer: Any = build_tokenizer(card) if tokenizer is None else tokenizer()
        self._context = int(self._tokenizer.context_length)
        self._model: Any = model.to(self.device).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(card.preprocess.mean, device=self.device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(card.preprocess.std, device=self.device).view(1, 3, 1, 1) * 255
        self._lock = threading.Lock()
        network: Any = self._model
        self._image_network: Callable[[Tensor], Tensor] = self._on_pixels(network.encode_image)
        self._check_dim()
        if self.device.type == "cpu":
            visual: Any = self._model.visual
            self._model.visual = fold_batch_norms(visual, self.image_size)
            if hasattr(visual, "trunk"):  # transformers gain nothing
                self._image_network = self._compiled_later(
                    self._model.visual, "tower", self.image_size
                )

    def fit(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """Resize and crop an RGB image of any size to the input square of the image tower."""
        how = self.card.preprocess
        return fit_square(image, how.size, how.interpolation, how.resize_mode)

    def token_count(self, text: str) -> tuple[int, int]:
        """Return the number of tokens of `text` and the longest the text tower reads."""
        if isinstance(self._tokenizer, FileTokenizer):
            return self._tokenizer.count(text), self._context
        huggingface = getattr(self._tokenizer, "tokenizer", None)
        if huggingface is not None:
            return len(huggingface.encode(self._tokenizer.clean_fn(text))), self._context
        return len(self._tokenizer.encode(text)) + 2, self._context  # + start and end

    @property
    def logit_scale(self) -> float:
        """Factor of the cosines before the softmax in training (inverse temperature)."""
        return float(self._model.logit_scale.detach().exp().reshape(()))

    @cached_property
    def dense(self) -> DenseTower | None:
        """Feature map of the image tower; None for towers `nets.feature_maps` does not support."""
        found = tower_feature_map(self._model.visual, self.image_size)
        if found is None:
            return None

        run: Callable[[Tensor], Tensor] = self._on_pixels(found.run)
        if self.device.type == "cpu" and isinstance(found.run, nn.Module):
            run = self._compiled_later(found.run, "cells", found.side)

        def cells(blocks: UInt8[np.ndarray, "n side side 3"]) -> Float32[np.ndarray, "n g g c"]:
            return self._run(run, blocks)

        def project(means: Float32[np.ndarray, "n c"]) -> Float32[np.ndarray, "n dim"]:
            with self._lock, torch.inference_mode(), self._amp():
                return _array(found.project(torch.from_numpy(means).to(self.device)))

        box = central_cells(self.image_size // found.cell)
        return DenseTower(found.kind, found.side, found.cell, box, found.channels, cells, project)

    def _encode_image_batch(
        self, batch: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        return self._run(self._image_network, batch)

    def _on_pixels(self, network: Callable[[Tensor], Tensor]) -> PixelNetwork:
        """Put the normalisation of the card before a network."""
        return PixelNetwork(network, self._mean, self._std)

    def _compiled_later(self, network: nn.Module, part: str, side: int) -> CompiledLater:
        keep = kept_file(f"{self.name}-{part}", self.encoder_id, side, bfloat16=self._autocast)
        return CompiledLater(self._on_pixels(network), side, keep, bfloat16=self._autocast)

    def _run(
        self,
        network: Callable[[Tensor], Tensor],
        batch: UInt8[np.ndarray, "n side side 3"],
    ) -> Float32[np.ndarray, "n ... dim"]:
        """Run a network on RGB squares."""
        pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(self.device)
        with self._lock, torch.inference_mode(), self._amp():
            return _array(network(pixels))

    def _encode_text_batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
        tokens = self._tokenizer(list(texts)).to(self.device)
        with self._lock, torch.inference_mode(), self._amp():
            return _array(self._text_features(tokens))

    def _text_features(self, tokens: Tensor) -> Tensor:
        """Compute text features; padding is kept for adapters, which may average over it."""
        if self.card.adapter is None:
            tokens = trim_padding(text_tower(self._model), tokens)
        return encode_tokens(self._model, tokens)

    def _amp(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast)

    def _check_dim(self) -> None:
        side = self.image_size
        try:
            got = self._encode_image_batch(np.zeros((1, side, side, 3), np.uint8)).shape[1]
        except (RuntimeError, AssertionError) as error:  # layers that do not fit, a wrong side
            raise ConfigError(
                f"the network of card {self.name!r} does not run on {side}-pixel squares: {error}"
            ) from error
        if got != self.dim:
            raise ConfigError(
                f"card {self.name!r} has embed_dim {self.dim}, but its network outputs {got}"
            )


def supports_bfloat16(device: torch.device) -> bool:
    """Return whether a device has bfloat16 instructions: CUDA devices, and some CPUs."""
    if device.type != "cpu":
        return device.type == "cuda"
    get_capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    found = get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def pick_device(device: str) -> torch.device:
    """Return the torch device of a name; `auto` is CUDA if available, else the CPU.

    Raises:
        ConfigError: no such device on this machine.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device {device!r} is unknown; use auto, cpu or cuda") from error
    present = {"cpu": True, "cuda": torch.cuda.is_available()}
    present["mps"] = torch.backends.mps.is_available()
    if not present.get(wanted.type, False):
        raise ConfigError(f"this machine has no device {device!r}; use --device cpu or auto")
    return wanted


def _array(features: Tensor) -> Float32[np.ndarray, "n ... dim"]:
    rows: Float32[np.ndarray, "n ... dim"] = features.float().cpu().numpy()
    return rows
