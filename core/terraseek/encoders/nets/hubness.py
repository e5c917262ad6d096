"""Sentences that suit every image, and images that suit every sentence, held back.

In a space of many dimensions some vectors are near to nearly all others ("hubs", Radovanović et al.
2010), and take the first places of searches they have nothing to do with. So a vector's nearness to
the other kind at large is taken off its scores:

    s(i, t) = cos(i, t) - b g(i) - a h(t),    h(t) = log(sum_k w_k exp(β cos(p_k, t))) / β

with p_k, w_k the k-means centres of training images and their shares, and g(i) likewise over
training sentences: the inverted softmax (Smith et al. 2017) and QB-Norm (Bogolin et al. 2022) with
a bank of training data, so that no score depends on what else is in a catalogue.

Before that the mean vector of training images is taken off images, that of sentences off
sentences ("centred"), for what all have in common says nothing (Suzuki et al. 2013, "Centering
similarity measures to reduce hubs").

The result is still one cosine of two unit vectors, so nothing downstream needs to know. With C held
constant, S² + 2 C² = 1 and h0, g0 the usual values,

    image  [S i,         C,     S² b (g0 - g) / C,  0,     rest]
    sentence [S t, S² a (h0 - h) / C,      C,         rest,  0   ]

have the product S² (s + b g0 + a h0). The middle ones are kept within ±C, which they reach only
where a vector is nearer or farther than any in training; `rest` makes the length 1.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from terraseek.errors import ConfigError

if TYPE_CHECKING:  # shapes are not checked in tests: `encoders.fuse` traces these methods
    from torch import Tensor, nn

__all__ = ["HUB_DIMS", "SIDES", "Side", "level"]

Side = Literal["picture", "sentence"]
SIDES: tuple[Side, Side] = ("picture", "sentence")

HUB_DIMS = 8
"""Numbers a vector gets: four of the scheme above, and zeros up to a multiple of eight."""
_SQUARE = 0.81
"""S²: what cosines shrink to."""
_CONSTANT = ((1 - _SQUARE) / 2) ** 0.5


def level(side: Side, dim: int, config: Any) -> "nn.Module":  # noqa: ANN401 - from a card
    """A module from unit vectors [*n, dim] to unit vectors [*n, dim + HUB_DIMS].

    Its tensors `others` [k, dim], `log_shares` [k], `usual` and, where vectors are centred, `mean`
    [dim] are of training data and part of the weights; they stay as they are in further training.

    Args:
        side: whose vectors these are.
        dim: of the vectors.
        config: `{"sharpness": β, "images": {"count": k, "weight": b}, "sentences": {"count": k,
            "weight": a}, "centred": true}`: images are held back with weight b, sentences with a;
            each count is of centres of its own kind, which the other kind is compared with.
            Vectors are not centred where that is not said.

    Raises:
        ConfigError: a part of the config is missing or no number above 0, or `centred` is neither
            true nor false.
    """
    own, other = (f"{side}s", "sentences" if side == "picture" else "pictures")
    try:
        values = config["sharpness"], config[own]["weight"], config[other]["count"]
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"hubs {config!r} lacks a part; needed are sharpness, and weight and count of both "
            "pictures and sentences"
        ) from error
    if not all(isinstance(value, int | float) and value > 0 for value in values):
        raise ConfigError(f"hubs {config!r}: sharpness, weights and counts must be above 0")
    if not isinstance(centred := config.get("centred", False), bool):
        raise ConfigError(f"hubs {config!r}: centred must be true or false")
    sharpness, weight, count = values
    module: nn.Module = _kind()(side, dim, int(count), float(weight), float(sharpness), centred)
    return module


@cache
def _kind() -> Any:  # noqa: ANN401 - a class that exists once torch is loaded
    """The module's class, made when first needed: importing this module loads no torch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Level(nn.Module):
        """See `level`."""

        def __init__(
            self, side: Side, dim: int, count: int, weight: float, sharpness: float, centred: bool
        ) -> None:
            super().__init__()
            self.side, self.weight, self.sharpness, self.centred = side, weight, sharpness, centred
            self.mean: Tensor
            if centred:
                self.register_buffer("mean", torch.zeros(dim))
            self.others: Tensor
            self.log_shares: Tensor
            self.usual: Tensor
            self.register_buffer("others", torch.zeros(count, dim))
            self.register_buffer("log_shares", torch.zeros(count))
            self.register_buffer("usual", torch.zeros(()))

        def placed(self, vectors: "Tensor") -> "Tensor":
            """Unit vectors [*n, dim] without what all of their kind have in common, unit again."""
            return F.normalize(vectors - self.mean, dim=-1) if self.centred else vectors

        def near(self, vectors: "Tensor") -> "Tensor":
            """How near placed vectors [*n, dim] are to the other kind at large, [*n]."""
            scores = self.sharpness * (vectors @ self.others.T) + self.log_shares
            return torch.logsumexp(scores, dim=-1) / self.sharpness

        def forward(self, vectors: "Tensor") -> "Tensor":
            """Placed vectors with their nearness beside them."""
            own = self.placed(vectors)
            beyond = self.usual - self.near(own)
            held = (beyond * (_SQUARE * self.weight / _CONSTANT)).clamp(-_CONSTANT, _CONSTANT)
            rest = (_CONSTANT**2 - held**2).clamp(min=0).sqrt()
            same, nothing = torch.full_like(held, _CONSTANT), torch.zeros_like(held)
            if self.side == "picture":
                four = [same, held, nothing, rest]
            else:
                four = [held, same, rest, nothing]
            beside = torch.stack(four + [nothing] * (HUB_DIMS - len(four)), dim=-1)
            return torch.cat([own * _SQUARE**0.5, beside], dim=-1)

    return Level
