"""Outputs of frozen parts of the towers, kept by input for as long as the process runs.

Where the trunk of an image tower or MiniLM is not trained, the same view or sentence always gives
the same states. With `views` in a recipe both come back, and most of a step's work is saved; the
runs of a study share what was computed.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["forget", "remember_frozen"]

_STORES: dict[str, dict[bytes, np.ndarray]] = {}
"""Outputs by input, for each digest of the weights that made them."""


def remember_frozen(clip: Any, with_text: bool = True) -> None:  # noqa: ANN401
    """Let the frozen trunk of a timm image tower and a frozen MiniLM keep their outputs.

    They are kept in half precision; states of padding are zero then.

    Args:
        clip: the network, after `peft.apply`.
        with_text: whether sentences are kept too.
    """
    trunk = getattr(getattr(clip, "visual", None), "trunk", None)
    if trunk is not None and _is_frozen(trunk):
        trunk.forward_features = _Remembered(trunk.forward_features, _store(trunk))
    reader = getattr(getattr(clip, "text", None), "reader", None)
    if with_text and reader is not None and _is_frozen(reader):
        reader.states = _RememberedStates(reader.states, _store(reader), len(reader.levels))


def forget() -> None:
    """Free the memory of all outputs."""
    _STORES.clear()


def _is_frozen(module: nn.Module) -> bool:
    return not any(parameter.requires_grad for parameter in module.parameters())


def _store(module: nn.Module) -> dict[bytes, np.ndarray]:
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return _STORES.setdefault(digest.hexdigest(), {})


class _Remembered:
    """Feature maps of normalised pixels [b, 3, side, side]."""

    def __init__(self, compute: Callable[[Tensor], Tensor], store: dict[bytes, np.ndarray]) -> None:
        self.compute, self.store = compute, store

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Remembered":
        return self  # the weights are frozen, so a copy's outputs are the same

    def __call__(self, pixels: Tensor) -> Tensor:
        rows = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
        missing = [n for n, key in enumerate(keys) if key not in self.store]
        if missing:
            with torch.no_grad():
                found = self.compute(pixels[missing]).half().cpu().numpy()
            self.store |= {keys[n]: row for n, row in zip(missing, found, strict=True)}
        stacked = np.stack([self.store[key] for key in keys])
        return torch.from_numpy(stacked).to(pixels.device, torch.float32)


class _RememberedStates:
    """States of sentences [t, length] after each of MiniLM's levels."""

    def __init__(
        self,
        compute: Callable[[Tensor], list[Tensor]],
        store: dict[bytes, np.ndarray],
        levels: int,
    ) -> None:
        self.compute, self.store, self.levels = compute, store, levels

    def __deepcopy__(self, memo: dict[int, Any]) -> "_RememberedStates":
        return self

    def __call__(self, tokens: Tensor) -> list[Tensor]:
        rows = [row[: int((row != 0).sum())] for row in tokens.cpu().numpy()]
        keys = [row.tobytes() for row in rows]
        missing = [n for n, key in enumerate(keys) if key not in self.store]
        if missing:
            with torch.no_grad():
                found = torch.cat(self.compute(tokens[missing]), dim=-1).half().cpu().numpy()
            for n, states in zip(missing, found, strict=True):
                self.store[keys[n]] = states[: len(rows[n])].copy()
        width = self.store[keys[0]].shape[1]
        out = np.zeros((*tokens.shape, width), np.float16)
        for n, key in enumerate(keys):
            out[n, : len(rows[n])] = self.store[key]
        states = torch.from_numpy(out).to(tokens.device, torch.float32)
        return list(states.chunk(self.levels, dim=-1))
