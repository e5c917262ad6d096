"""Step sizes of the short trainings of methods and classifiers."""

import math
from dataclasses import dataclass

import torch
from torch import nn

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then a cosine; matrices decay, vectors and embeddings do not.

    The ordinary loop (`terraseek_train.train`) does the same from its own config.
    """

    steps: int
    lr: float
    """Peak."""
    warmup: int
    """Steps."""
    weight_decay: float
    final_lr: float = 0.01
    """Share of the peak the cosine ends at."""

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        low = self.final_lr
        return self.lr * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * done)))

    def optimizer(self, module: nn.Module) -> torch.optim.AdamW:
        """AdamW over all that requires gradients."""
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                flat = parameter.ndim < 2 or "embedding" in name
                (plain if flat else decayed).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.lr, fused=True)

    def set(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Give the optimizer the step's rate."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate(step)
