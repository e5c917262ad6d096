"""Modules that adapters add: gate, low-rank delta, bottleneck, prefixes."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Bottleneck", "Gate", "LoraDelta", "PrefixTable"]

_STD = 0.02  # of BERT-style initial weights


class Gate(nn.Module):
    """Gate of a module for each sequence: mean over tokens of sigmoid(w.x + c), UniPELT eq. 4.

    The mean is over all tokens, including padding and tokens behind a causal mask, as in the
    released code.
    """

    def __init__(self, width: int, like: Tensor) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, device=like.device, dtype=like.dtype)
        nn.init.normal_(self.linear.weight, std=_STD)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "b length width"]) -> Float[Tensor, "b 1 1"]:
        """Gate of each sequence, between 0 and 1."""
        gate: Tensor = torch.sigmoid(self.linear(x)).mean(dim=1, keepdim=True)
        return gate


class LoraDelta(nn.Module):
    """(alpha / r) B A x beside a frozen projection (LoRA eq. 3); B starts at zero.

    A gate replaces the factor alpha / r.
    """

    def __init__(self, width: int, rank: int, alpha: float, gated: bool, like: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(like.new_empty(rank, width))
        self.b = nn.Parameter(like.new_zeros(width, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        self.factor = alpha / rank
        self.gate = Gate(width, like) if gated else None

    def forward(self, x: Float[Tensor, "b length width"]) -> Float[Tensor, "b length width"]:
        """Delta added to the projection of `x`."""
        delta = F.linear(F.linear(x, self.a), self.b)
        return delta * (self.factor if self.gate is None else self.gate(x))

    def matrix(self) -> Float[Tensor, "width width"]:
        """The delta as one matrix, for merging into the projection; only without a gate."""
        assert self.gate is None, "a gate depends on the input"
        return self.factor * self.b @ self.a


class Bottleneck(nn.Module):
    """x + U relu(D x) on the output of a block (Pfeiffer's placement: one per layer)."""

    def __init__(self, width: int, reduction: int, gated: bool, like: Tensor) -> None:
        super().__init__()
        inner = max(1, width // reduction)
        self.down = nn.Linear(width, inner, device=like.device, dtype=like.dtype)
        self.up = nn.Linear(inner, width, device=like.device, dtype=like.dtype)
        for linear in (self.down, self.up):
            nn.init.normal_(linear.weight, std=_STD)
            nn.init.zeros_(linear.bias)
        self.gate = Gate(width, like) if gated else None

    def forward(self, x: Float[Tensor, "b length width"]) -> Float[Tensor, "b length width"]:
        """Block output plus the adapter's output."""
        change: Tensor = self.up(F.relu(self.down(x)))
        if self.gate is not None:
            change = change * self.gate(x)
        return x + change


class PrefixTable(nn.Module):
    """Prefix keys and values of every layer of one tower (prefix tuning, eq. 5).

    Reparametrised: table (length x width) -> Linear -> tanh -> Linear, whose output holds key and
    value of layer 0, then of layer 1, and so on. `eject` keeps only this output.
    """

    def __init__(self, layers: int, width: int, length: int, hidden: int, like: Tensor) -> None:
        super().__init__()
        self.width = width
        self.table: nn.Parameter | None = nn.Parameter(like.new_empty(length, width))
        self.down: nn.Linear | None = nn.Linear(width, hidden, True, like.device, like.dtype)
        self.up: nn.Linear | None = nn.Linear(
            hidden, 2 * layers * width, True, like.device, like.dtype
        )
        self.flat: nn.Parameter | None = None
        nn.init.normal_(self.table)
        for linear in (self.down, self.up):
            nn.init.normal_(linear.weight, std=_STD)
            nn.init.zeros_(linear.bias)

    def layer(
        self, index: int
    ) -> tuple[Float[Tensor, "length width"], Float[Tensor, "length width"]]:
        """Keys and values of one layer, before they are split into heads.

        Only that layer's rows of the second linear map are multiplied, so that nothing has to be
        cached between the layers of a forward pass.
        """
        rows = slice(2 * index * self.width, 2 * (index + 1) * self.width)
        if self.flat is not None:
            both: Tensor = self.flat[:, rows]
        else:
            assert self.table is not None
            assert self.down is not None
            assert self.up is not None
            inner = torch.tanh(self.down(self.table))
            both = F.linear(inner, self.up.weight[rows], self.up.bias[rows])
        key, value = both.chunk(2, dim=1)
        return key, value

    @torch.no_grad()
    def eject(self) -> None:
        """Replace table and MLP by the prefixes they produce; further training changes those."""
        if self.flat is not None:
            return
        assert self.table is not None
        assert self.down is not None
        assert self.up is not None
        flat = self.up(torch.tanh(self.down(self.table)))
        self.flat = nn.Parameter(flat.clone())
        self.table = self.down = self.up = None
