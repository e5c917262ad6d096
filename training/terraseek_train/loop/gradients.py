"""The gradient of a contrastive batch that is larger than what fits through the towers at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["Pass", "backward"]

T = TypeVar("T")

Pass = tuple[Callable[[Tensor], Tensor], Tensor]
"""A tower with the rows it shall encode."""


def backward(
    passes: Sequence[Pass], loss: Callable[..., tuple[Tensor, T]], chunk: int, model: nn.Module
) -> T:
    """Add the loss's gradient to all parameters; returns what `loss` tells beside its value.

    With a chunk, gradient caching (Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size
    under Memory Limited Setup"): features of all chunks without a graph, the loss's gradient on
    these features, then every chunk once more with a graph that starts from its share of that
    gradient. The result is that of the whole batch; memory is that of a chunk, and time grows by
    one forward pass. Random numbers (dropout) are replayed in the second pass.

    Batch norm in training mode knows its chunk only, as it knows its own process's share in data
    parallel training: gradients then equal the whole batch's only if statistics are frozen.

    Args:
        passes: towers and inputs; each tower is a function of rows, whatever their number.
        loss: a function of the towers' features, in the order of `passes`.
        chunk: rows at a time; 0 or more than there are means all at once.
        model: what the towers belong to; its batch norms count each chunk once.
    """
    if not chunk or all(len(rows) <= chunk for _, rows in passes):
        value, told = loss(*(tower(rows) for tower, rows in passes))
        value.backward()  # type: ignore[no-untyped-call]  # torch has none here
        return told

    states: list[list[Tensor]] = []
    features = []
    with torch.no_grad(), _uncounted(model):
        for tower, rows in passes:
            made = []
            for piece in torch.split(rows, chunk):
                states.append(_random_state(rows.device))
                made.append(tower(piece))
            features.append(torch.cat(made).requires_grad_())
    value, told = loss(*features)
    value.backward()  # type: ignore[no-untyped-call]  # torch has none here

    for (tower, rows), whole in zip(passes, features, strict=True):
        slopes = torch.zeros_like(whole) if whole.grad is None else whole.grad
        pieces = zip(torch.split(rows, chunk), torch.split(slopes, chunk), strict=True)
        for piece, slope in pieces:
            _set_random_state(states.pop(0), rows.device)
            torch.autograd.backward(tower(piece), slope)
    return told


def _random_state(device: torch.device) -> list[Tensor]:
    on_device = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *on_device]


def _set_random_state(state: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)


@contextmanager
def _uncounted(model: nn.Module) -> Iterator[None]:
    """Batch norms use a batch's statistics as always, yet do not add them to their running ones."""
    kept = []
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats:
            kept.append((layer, layer.running_mean, layer.running_var, layer.num_batches_tracked))
            for name, value in zip(_COUNTED, kept[-1][1:], strict=True):
                setattr(layer, name, None if value is None else value.clone())
    try:
        yield
    finally:
        for layer, *values in kept:
            for name, value in zip(_COUNTED, values, strict=True):
                setattr(layer, name, value)


_COUNTED = ("running_mean", "running_var", "num_batches_tracked")
