"""Learning rate schedule of all training, and the optimizer of scene classifiers."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then decay of the learning rate along a cosine or a line.

    Weight decay applies to matrices, not to vectors and embeddings.
    """

    steps: int
    lr: float
    """Peak learning rate."""
    warmup: int
    """Steps."""
    weight_decay: float
    final_lr: float = 0.01
    """Learning rate at the end, as a share of the peak."""
    decay: Literal["cosine", "linear"] = "cosine"
    """Shape of the decay."""

    def learning_rate(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        low = self.final_lr
        left = 1 - done if self.decay == "linear" else 0.5 * (1 + math.cos(math.pi * done))
        return self.lr * (low + (1 - low) * left)

    def optimizer(self, module: nn.Module) -> torch.optim.AdamW:
        """AdamW over all parameters that require gradients."""
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                no_decay = parameter.ndim < 2 or "embedding" in name
                (plain if no_decay else decayed).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.lr, fused=True)

    def set_rate(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Set the optimizer's learning rate to that of step `step`."""
        for group in optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
