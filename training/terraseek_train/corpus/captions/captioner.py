"""Captioners behind one interface: image in, several candidate sentences out.

`bank:FILE` needs no network: candidates are the nearest sentences of a file of captions. Others
load weights that are stored on this machine: `huggingface:FOLDER` an image-to-text model such as
BLIP-2, `open_clip:ARCH:WEIGHTS` a CoCa model.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError, ConfigError, MissingExtraError
from terraseek_train.corpus.vectors import encoder_of

__all__ = ["Captioner", "load_captioner"]

Rgb = UInt8[np.ndarray, "h w 3"]


class Captioner(ABC):
    """Writes candidate captions."""

    @abstractmethod
    def candidates(self, image: Rgb, count: int, rng: np.random.Generator) -> list[str]:
        """Up to `count` sentences about an image; the same for the same state of `rng`."""


class BankCaptioner(Captioner):
    """Nearest sentences of a file, one caption a line, drawn by similarity."""

    def __init__(self, path: Path, encoder: Encoder, pool: int = 4) -> None:
        """Encode the sentences; candidates are drawn from the `pool * count` nearest."""
        lines = path.read_text(encoding="utf-8").splitlines()
        self._sentences = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        if not self._sentences:
            raise AnnotationError(f"{path} has no sentence; it needs one caption a line")
        self._encoder, self._pool = encoder, pool
        self._vectors = encoder.encode_texts(self._sentences)

    def candidates(self, image: Rgb, count: int, rng: np.random.Generator) -> list[str]:
        """See `Captioner.candidates`."""
        cosines = self._vectors @ self._encoder.encode_images([image])[0]
        near = np.argsort(-cosines, kind="stable")[: self._pool * count]
        # Gumbel noise draws without replacement with probabilities by similarity
        noisy = cosines[near] * 20 + rng.gumbel(size=len(near))
        return [self._sentences[near[row]] for row in np.argsort(-noisy)[:count]]


class HuggingFaceCaptioner(Captioner):
    """An image-to-text model of Transformers in a local folder, sampled as RS5M does.

    RS5M samples `blip2-opt-6.7b` with top_k 50 and top_p 0.95, at most 50 tokens.
    """

    def __init__(self, folder: str) -> None:
        """Load model and processor.

        Raises:
            MissingExtraError: Transformers is not installed.
        """
        try:
            import transformers  # type: ignore[import-not-found]
        except ImportError as error:
            raise MissingExtraError(
                "captions by a Hugging Face model need: pip install transformers"
            ) from error
        self._processor: Any = transformers.AutoProcessor.from_pretrained(folder)
        self._model: Any = transformers.AutoModelForImageTextToText.from_pretrained(folder)

    def candidates(self, image: Rgb, count: int, rng: np.random.Generator) -> list[str]:
        """See `Captioner.candidates`."""
        import torch

        torch.manual_seed(int(rng.integers(1 << 31)))
        inputs = self._processor(images=Image.fromarray(image), return_tensors="pt")
        with torch.inference_mode():
            tokens = self._model.generate(
                **inputs, do_sample=True, top_k=50, top_p=0.95, max_length=50,
                num_return_sequences=count,
            )  # fmt: skip
        found = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in found if text.strip()]


class OpenClipCaptioner(Captioner):
    """A CoCa model of open_clip with weights in a file."""

    def __init__(self, architecture: str, weights: str) -> None:
        """Load the model."""
        import open_clip

        self._clip: Any = open_clip
        self._model, _, self._transform = open_clip.create_model_and_transforms(
            architecture, pretrained=weights or None
        )
        self._model.eval()

    def candidates(self, image: Rgb, count: int, rng: np.random.Generator) -> list[str]:
        """See `Captioner.candidates`."""
        import torch

        torch.manual_seed(int(rng.integers(1 << 31)))
        batch = self._transform(Image.fromarray(image))[None].repeat(count, 1, 1, 1)
        with torch.inference_mode():
            tokens = self._model.generate(batch, generation_type="top_p", top_p=0.95, seq_len=50)
        texts = (self._clip.decode(row).split("<end_of_text>")[0] for row in tokens)
        cleaned = (" ".join(text.replace("<start_of_text>", "").split()) for text in texts)
        return [text for text in cleaned if text]


@lru_cache(maxsize=1)
def load_captioner(name: str, model: str) -> Captioner:
    """Load a captioner by `kind:argument`; kept for the next shard.

    Args:
        name: `bank:FILE`, `huggingface:FOLDER` or `open_clip:ARCH:WEIGHTS`.
        model: registered encoder of `bank`.

    Raises:
        ConfigError: there is no such kind or file.
        MissingExtraError: a package is not installed.
    """
    kind, _, argument = name.partition(":")
    if kind == "bank":
        if not Path(argument).is_file():
            raise ConfigError(f"captioner {name!r}: there is no file {argument}")
        return BankCaptioner(Path(argument), encoder_of(model))
    if kind == "huggingface":
        return HuggingFaceCaptioner(argument)
    if kind == "open_clip":
        architecture, _, weights = argument.partition(":")
        return OpenClipCaptioner(architecture, weights)
    raise ConfigError(f"captioner {name!r}: kinds are bank, huggingface and open_clip")
