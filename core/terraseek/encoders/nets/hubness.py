"""Hubness correction: lower the scores of vectors that are close to everything.

In high-dimensional spaces some vectors are near to almost all others ("hubs", Radovanović et al.
2010) and reach the first ranks of searches they are unrelated to. The correction subtracts from a
score the similarity of image i and text t to the other modality in general:

    s(i, t) = cos(i, t) - b g(i) - a h(t),    h(t) = log(sum_k w_k exp(β cos(p_k, t))) / β

p_k and w_k are the k-means centres of training images and the fraction of images in each cluster;
g(i) is the same over training sentences. This is the inverted softmax (Smith et al. 2017) and
QB-Norm (Bogolin et al. 2022) with a querybank of training data, so no score depends on the other
images of a catalogue.

Optionally the vectors are centred first: the mean vector of training images is subtracted from
images, that of training sentences from sentences (Suzuki et al. 2013, "Centering similarity
measures to reduce hubs").

The result is again the cosine of two unit vectors, so the rest of the code needs no special case.
With a constant C, S² + 2 C² = 1, and the mean similarities h0 and g0,

    image [S i,         C,     S² b (g0 - g) / C,  0,     rest]
    text  [S t, S² a (h0 - h) / C,      C,         rest,  0   ]

have the dot product S² (s + b g0 + a h0). The middle terms are clamped to ±C, which they reach only
for vectors whose similarity is outside the range seen in training; `rest` makes the length 1.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from terraseek.encoders.architecture import HUBNESS_DIMS
from terraseek.errors import ConfigError

__all__ = ["MODALITIES", "HubnessCorrection", "Modality", "hubness_correction"]

Modality = Literal["image", "text"]
MODALITIES: tuple[Modality, Modality] = ("image", "text")

_CONFIG_KEYS: dict[Modality, str] = {"image": "pictures", "text": "sentences"}
"""Keys of the two modalities in the `hubs` of an architecture."""
_COSINE_SCALE = 0.81
"""S²: the factor cosines are multiplied with."""
_CONSTANT = ((1 - _COSINE_SCALE) / 2) ** 0.5


def hubness_correction(modality: Modality, dim: int, config: Any) -> "HubnessCorrection":  # noqa: ANN401 - JSON
    """Build the correction of one modality, with zeros for its tensors of training data.

    Args:
        modality: of the vectors to correct.
        dim: length of these vectors.
        config: `{"sharpness": β, "pictures": {"count": k, "weight": b}, "sentences": {"count": k,
            "weight": a}, "centred": true}`. `weight` is the strength of the correction of this
            modality; `count` is the number of cluster centres of this modality, which form the
            querybank of the other one. `centred` is false by default.

    Raises:
        ConfigError: a part of the config is missing or no number above 0, or `centred` is neither
            true nor false.
    """
    other = _CONFIG_KEYS["text" if modality == "image" else "image"]
    try:
        weight = config[_CONFIG_KEYS[modality]]["weight"]
        sharpness, count = config["sharpness"], config[other]["count"]
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"hubs {config!r} lacks a part; needed are sharpness, and weight and count of both "
            "pictures and sentences"
        ) from error
    if not all(
        isinstance(value, int | float) and value > 0 for value in (sharpness, weight, count)
    ):
        raise ConfigError(f"hubs {config!r}: sharpness, weights and counts must be above 0")
    if not isinstance(centred := config.get("centred", False), bool):
        raise ConfigError(f"hubs {config!r}: centred must be true or false")
    return HubnessCorrection(modality, dim, int(count), float(weight), float(sharpness), centred)


class HubnessCorrection(nn.Module):
    """Map unit vectors [*n, dim] to corrected unit vectors [*n, dim + HUBNESS_DIMS].

    Its buffers are statistics of training data. They are stored with the weights and do not change
    in further training. Their names (`others`, `log_shares`, `usual`, `mean`) are the keys in
    published weights files; the properties below say what they hold.
    """

    others: Tensor
    log_shares: Tensor
    usual: Tensor
    mean: Tensor

    def __init__(
        self,
        modality: Modality,
        dim: int,
        count: int,
        weight: float,
        sharpness: float,
        centred: bool,
    ) -> None:
        """Create the module; see `hubness_correction` for the arguments."""
        super().__init__()
        self.modality, self.weight = modality, weight
        self.sharpness, self.centred = sharpness, centred
        if centred:
            self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("others", torch.zeros(count, dim))
        self.register_buffer("log_shares", torch.zeros(count))
        self.register_buffer("usual", torch.zeros(()))

    @property
    def querybank(self) -> Tensor:
        """Cluster centres [k, dim] of training vectors of the other modality."""
        return self.others

    @property
    def log_weights(self) -> Tensor:
        """Logarithm of the fraction of training vectors in each cluster, [k]."""
        return self.log_shares

    @property
    def mean_similarity(self) -> Tensor:
        """Mean of `similarity` over training vectors of this modality, []."""
        return self.usual

    def center(self, vectors: Tensor) -> Tensor:
        """Subtract the mean training vector from unit vectors [*n, dim], where configured."""
        return F.normalize(vectors - self.mean, dim=-1) if self.centred else vectors

    def similarity(self, centered: Tensor) -> Tensor:
        """Smoothed maximum similarity of vectors [*n, dim] to the querybank, [*n]."""
        scores = self.sharpness * (centered @ self.querybank.T) + self.log_weights
        return torch.logsumexp(scores, dim=-1) / self.sharpness

    def forward(self, vectors: Tensor) -> Tensor:
        """Center unit vectors and append the dimensions that carry the correction."""
        centered = self.center(vectors)
        difference = self.mean_similarity - self.similarity(centered)
        scale = _COSINE_SCALE * self.weight / _CONSTANT
        correction = (difference * scale).clamp(-_CONSTANT, _CONSTANT)
        rest = (_CONSTANT**2 - correction**2).clamp(min=0).sqrt()
        constant, zero = torch.full_like(correction, _CONSTANT), torch.zeros_like(correction)
        if self.modality == "image":
            used = [constant, correction, zero, rest]
        else:
            used = [correction, constant, rest, zero]
        appended = torch.stack(used + [zero] * (HUBNESS_DIMS - len(used)), dim=-1)
        return torch.cat([centered * _COSINE_SCALE**0.5, appended], dim=-1)
