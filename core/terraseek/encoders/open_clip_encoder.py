"""Any open_clip network as an Encoder."""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.adapters import put_on
from terraseek.encoders.base import Encoder, fit_square
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.nets.build import build_model, build_tokenizer
from terraseek.encoders.nets.checkpoints import load_weights
from terraseek.encoders.nets.feature_maps import DenseTower, box_of, tower_cells
from terraseek.encoders.nets.fuse import fused
from terraseek.encoders.nets.text_tower import text_features, text_tower, without_padding
from terraseek.encoders.nets.torchscript import frozen
from terraseek.encoders.weight_files import verify
from terraseek.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["OpenClipEncoder", "Precision", "computes_bfloat16", "pick_device"]

Precision = Literal["float32", "bfloat16"]

_MANY = 1024
"""Images after which it pays to spend seconds on a faster tower, as many more may well come."""


class OpenClipEncoder(Encoder):
    """An encoder described by a model card.

    Safe to share between threads: one forward pass runs at a time, which on a CPU is also the
    fastest, because each pass uses all cores.
    """

    def __init__(
        self, card: ModelCard, device: str = "auto", precision: Precision = "float32"
    ) -> None:
        """Build the network and load its weights.

        Args:
            card: what to build.
            device: `auto` takes CUDA where there is one, else the CPU; or a torch device name.
            precision: `bfloat16` autocasts; vectors then differ by about 1e-2. On CPUs that
                compute in it 1.8 times as many images a second, see docs/benchmarks.md.

        Raises:
            WeightsNotFoundError: the weights are not on this machine.
            WeightsChecksumError: they are not those of the card.
            WeightsLayoutError: they do not fit the architecture.
            ConfigError: device, precision or architecture cannot be had; `bfloat16` is refused on a
                CPU that would only imitate it, thirty times as slow.
        """
        import torch

        self.card = card
        self.device = pick_device(device)
        self._autocast = precision == "bfloat16"
        if self._autocast and not computes_bfloat16(self.device):
            raise ConfigError(
                "precision bfloat16 needs a CUDA device or a CPU with AVX-512 or AMX bfloat16, "
                f"which this {self.device.type} device is not; use float32"
            )
        weights = verify(card)
        self.name = card.name
        self.encoder_id = card.encoder_id(weights.sha256)
        self.dim = card.embed_dim
        self.image_size = card.preprocess.size
        model = build_model(card.architecture)
        load_weights(model, weights.path)
        put_on(model, card)
        self._tokenizer: Any = build_tokenizer(card)
        self._context = int(self._tokenizer.context_length)
        self._model: Any = model.to(self.device).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(card.preprocess.mean, device=self.device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(card.preprocess.std, device=self.device).view(1, 3, 1, 1) * 255
        self._lock = threading.Lock()
        self._encoded = 0
        self._frozen: Any = None
        self._check_dim()
        if self.device.type == "cpu":
            visual: Any = self._model.visual
            self._model.visual = fused(visual, self.image_size)

    def fit(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """The square the image tower sees of an RGB image of any size."""
        how = self.card.preprocess
        return fit_square(image, how.size, how.interpolation, how.resize_mode)

    def token_count(self, text: str) -> tuple[int, int]:
        """Tokens `text` needs and tokens the text tower reads; more needed means it is cut off."""
        hugging = getattr(self._tokenizer, "tokenizer", None)
        if hugging is not None:
            return len(hugging.encode(self._tokenizer.clean_fn(text))), self._context
        return len(self._tokenizer.encode(text)) + 2, self._context  # + start and end

    @property
    def logit_scale(self) -> float:
        """What cosines were multiplied with in training before the softmax."""
        return float(self._model.logit_scale.detach().exp().reshape(()))

    @cached_property
    def dense(self) -> DenseTower | None:
        """The image tower before its pooling, for towers that `encoders.dense` knows."""
        found = tower_cells(self._model.visual, self.image_size)
        if found is None:
            return None

        def cells(blocks: UInt8[np.ndarray, "n side side 3"]) -> Float32[np.ndarray, "n g g c"]:
            return self._through(found.run, blocks)

        def project(means: Float32[np.ndarray, "n c"]) -> Float32[np.ndarray, "n dim"]:
            import torch

            with self._lock, torch.inference_mode(), self._casting():
                return _array(found.project(torch.from_numpy(means).to(self.device)))

        box = box_of(self.image_size // found.cell)
        return DenseTower(found.kind, found.side, found.cell, box, found.channels, cells, project)

    def _encode_image_batch(
        self, batch: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        return self._through(self._images, batch)

    def _images(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Image features, from a faster copy of the tower once many images were encoded."""
        before, self._encoded = self._encoded, self._encoded + len(pixels)
        slow = self.device.type == "cpu" and not self._autocast
        if slow and before <= _MANY < self._encoded:
            self._frozen = frozen(self._model.visual, self.image_size)
        network = self._model.encode_image if self._frozen is None else self._frozen
        features: torch.Tensor = network(pixels)
        return features

    def _through(
        self,
        network: "Callable[[torch.Tensor], torch.Tensor]",
        batch: UInt8[np.ndarray, "n side side 3"],
    ) -> Float32[np.ndarray, "n ... dim"]:
        """What a network says of RGB squares, normalised as the card has it."""
        import torch

        # [n, h, w, 3] seen as [n, 3, h, w] is channels_last already: no copy but the conversion
        pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(self.device).permute(0, 3, 1, 2)
        with self._lock, torch.inference_mode(), self._casting():
            ready = pixels.to(torch.float32).sub_(self._mean).div_(self._std)
            return _array(network(ready))

    def _encode_text_batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
        import torch

        tokens = self._tokenizer(list(texts)).to(self.device)
        with self._lock, torch.inference_mode(), self._casting():
            return _array(self._read(tokens))

    def _read(self, tokens: "torch.Tensor") -> "torch.Tensor":
        """Text features; padding is left out unless an adapter might average over it."""
        if self.card.adapter is None:
            tokens = without_padding(text_tower(self._model), tokens)
        return text_features(self._model, tokens)

    def _casting(self) -> "torch.autocast":
        import torch

        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast)

    def _check_dim(self) -> None:
        side = self.image_size
        try:
            got = self._encode_image_batch(np.zeros((1, side, side, 3), np.uint8)).shape[1]
        except (RuntimeError, AssertionError) as error:  # parts that do not meet, a wrong side
            raise ConfigError(
                f"the network of card {self.name!r} does not run on {side}-pixel squares: {error}"
            ) from error
        if got != self.dim:
            raise ConfigError(
                f"card {self.name!r} says embed_dim {self.dim}, its network gives {got}"
            )


def computes_bfloat16(device: "torch.device") -> bool:
    """Whether bfloat16 is faster there than float32: CUDA, and CPUs with instructions for it."""
    import torch

    if device.type != "cpu":
        return device.type == "cuda"
    ask: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    told = ask()
    return bool(told.get("avx512_bf16") or told.get("amx_bf16"))


def pick_device(device: str) -> "torch.device":
    """The torch device of a name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        ConfigError: no such device on this machine.
    """
    import torch

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


def _array(features: "torch.Tensor") -> Float32[np.ndarray, "n ... dim"]:
    rows: Float32[np.ndarray, "n ... dim"] = features.float().cpu().numpy()
    return rows
