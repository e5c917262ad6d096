"""The gradient of a contrastive batch that is too large to pass through the towers at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["TowerInput", "backward"]

T = TypeVar("T")

TowerInput = tuple[Callable[[Tensor], Tensor], Tensor]
"""A tower and the rows it encodes."""


def backward(
    inputs: Sequence[TowerInput],
    loss: Callable[..., tuple[Tensor, T]],
    chunk: int,
    model: nn.Module,
) -> T:
    """Add the gradient of a loss to all parameters, with bounded memory.

    With a chunk size this is gradient caching (Gao et al. 2021, "Scaling Deep Contrastive Learning
    Batch Size under Memory Limited Setup"): the features of all chunks are computed without a
    graph, then the gradient of the loss with respect to them, then each chunk once more with a
    graph that starts from its part of that gradient. The result is the gradient of the whole
    batch; memory is that of a chunk, and time grows by one forward pass. Random states (dropout)
    are replayed in the second pass.

    Batch norm in training mode sees its chunk only, as it sees only the local rows in
    data-parallel training: the gradient equals that of the whole batch only if its statistics are
    fixed.

    Args:
        inputs: towers and their rows; each tower is a function of rows, of any number.
        loss: function of the features of the towers, in the order of `inputs`; returns the loss
            and anything else.
        chunk: rows at a time; 0, or at least the number of rows, processes all at once.
        model: the module that the towers belong to; its batch norms count each chunk once.

    Returns:
        The second value that `loss` returned.
    """
    if not chunk or all(len(rows) <= chunk for _, rows in inputs):
        value, details = loss(*(tower(rows) for tower, rows in inputs))
        value.backward()  # type: ignore[no-untyped-call]  # torch has none here
        return details

    states: list[list[Tensor]] = []
    features = []
    with torch.no_grad(), _fixed_running_stats(model):
        for tower, rows in inputs:
            encoded = []
            for part in torch.split(rows, chunk):
                states.append(_random_state(rows.device))
                encoded.append(tower(part))
            features.append(torch.cat(encoded).requires_grad_())
    value, details = loss(*features)
    value.backward()  # type: ignore[no-untyped-call]  # torch has none here

    for (tower, rows), whole in zip(inputs, features, strict=True):
        gradient = torch.zeros_like(whole) if whole.grad is None else whole.grad
        chunks = zip(torch.split(rows, chunk), torch.split(gradient, chunk), strict=True)
        for part, part_gradient in chunks:
            _set_random_state(states.pop(0), rows.device)
            torch.autograd.backward(tower(part), part_gradient)
    return details


def _random_state(device: torch.device) -> list[Tensor]:
    on_device = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *on_device]


def _set_random_state(state: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)


@contextmanager
def _fixed_running_stats(model: nn.Module) -> Iterator[None]:
    """Let batch norms use the statistics of a batch without updating their running ones."""
    kept = []
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats:
            kept.append((layer, layer.running_mean, layer.running_var, layer.num_batches_tracked))
            for name, value in zip(_RUNNING_STATS, kept[-1][1:], strict=True):
                setattr(layer, name, None if value is None else value.clone())
    try:
        yield
    finally:
        for layer, *values in kept:
            for name, value in zip(_RUNNING_STATS, values, strict=True):
                setattr(layer, name, value)


_RUNNING_STATS = ("running_mean", "running_var", "num_batches_tracked")
