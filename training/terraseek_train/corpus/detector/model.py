"""The detector: logistic regression on features of an image; its file and its training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64

from terraseek.errors import ConfigError, WeightsNotFoundError
from terraseek.files import atomic_path

__all__ = ["Detector", "fit_detector", "load_detector"]


@dataclass(frozen=True)
class Detector:
    """Probability that an image shows the ground from above."""

    encoder_id: str
    """Encoder whose vectors are among the features."""
    mean: Float32[np.ndarray, " k"]
    scale: Float32[np.ndarray, " k"]
    weights: Float32[np.ndarray, " k"]
    bias: float

    def probability(self, features: Float32[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
        """Probabilities, 0 to 1, of rows of features."""
        logits = ((features - self.mean) / self.scale) @ self.weights + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -60, 60))))

    def save(self, path: Path) -> None:
        """Write the detector as `.npz`."""
        with atomic_path(path) as part, part.open("wb") as file:
            np.savez(
                file, encoder_id=np.array(self.encoder_id), mean=self.mean, scale=self.scale,
                weights=self.weights, bias=np.array(self.bias),
            )  # fmt: skip


def load_detector(path: Path, encoder_id: str) -> Detector:
    """Read a detector.

    Raises:
        WeightsNotFoundError: there is no such file.
        ConfigError: it was trained with another encoder.
    """
    if not path.exists():
        raise WeightsNotFoundError(
            f"there is no detector at {path}; train one with: terraseek corpus detector"
        )
    with np.load(path, allow_pickle=False) as file:
        found = Detector(
            str(file["encoder_id"]),
            file["mean"],
            file["scale"],
            file["weights"],
            float(file["bias"]),
        )
    if found.encoder_id != encoder_id:
        raise ConfigError(
            f"{path} was trained with {found.encoder_id}, not {encoder_id}; train it again"
        )
    return found


def fit_detector(
    features: Float32[np.ndarray, "n k"],
    overhead: Bool[np.ndarray, " n"],
    encoder_id: str,
    decay: float = 1e-2,
) -> Detector:
    """Fit a logistic regression with an L2 penalty; both classes have the same total weight.

    Args:
        features: rows of `detector_features`.
        overhead: which rows show the ground from above.
        encoder_id: encoder of the features.
        decay: factor of half the squared norm of the weights, added to the mean loss.
    """
    from scipy.optimize import minimize

    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    rows = ((features - mean) / scale).astype(np.float64)
    sign = np.where(overhead, 1.0, -1.0)
    share = np.where(overhead, 0.5 / max(1, overhead.sum()), 0.5 / max(1, (~overhead).sum()))

    def loss(values: Float64[np.ndarray, " m"]) -> tuple[float, Float64[np.ndarray, " m"]]:
        weights, bias = values[:-1], values[-1]
        margin = sign * (rows @ weights + bias)
        slope = -share * sign / (1 + np.exp(np.clip(margin, -60, 60)))
        value = share @ np.logaddexp(0, -margin) + decay / 2 * weights @ weights
        return float(value), np.append(rows.T @ slope + decay * weights, slope.sum())

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B")
    weights = np.asarray(found.x[:-1], np.float32)
    return Detector(encoder_id, mean, scale, weights, float(found.x[-1]))
