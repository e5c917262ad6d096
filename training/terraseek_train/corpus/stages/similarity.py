"""Share of the pairs with the highest image-caption similarity, as SkyScript keeps."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek_train.corpus.items import texts
from terraseek_train.corpus.stage import CorpusStage, Decision, Shard
from terraseek_train.corpus.stages.outliers import top_share
from terraseek_train.corpus.vectors import encoder_of, image_vectors

__all__ = ["Similarity"]


@dataclass(frozen=True)
class Similarity(CorpusStage):
    """Keep the pairs in the top share by cosine of image and caption; adds `similarity`."""

    keep: float = 100.0
    """Percentage kept; SkyScript trains on the top 30 and 50 %. 100 only measures."""
    model: str = DEFAULT_MODEL
    """Registered encoder."""

    def measure(self, items: pa.Table, shard: Shard) -> pa.Table:
        """See `CorpusStage.measure`; an item without a caption has the cosine -1."""
        encoder = encoder_of(self.model)
        images, captions = image_vectors(items, encoder), texts(items, "caption")
        cosines = np.full(len(items), -1.0)
        rows = np.flatnonzero([bool(text.strip()) for text in captions])
        if len(rows):
            vectors = encoder.encode_texts([captions[row] for row in rows])
            cosines[rows] = (images[rows] * vectors).sum(axis=1)
        return pa.table({"similarity": cosines})

    def decide(self, measured: pa.Table) -> Decision:
        """See `CorpusStage.decide`; facts have the mean and quantiles of the cosine."""
        cosines = measured.column("similarity").to_numpy()
        kept, threshold = top_share(cosines, self.keep)
        quantiles = np.quantile(cosines, (0.05, 0.25, 0.5, 0.75, 0.95)) if len(cosines) else []
        facts = {
            "threshold": threshold,
            "mean": float(cosines.mean()) if len(cosines) else 0.0,
            "quantiles_5_25_50_75_95": [round(float(q), 4) for q in quantiles],
        }
        reasons = ["" if keep else "low similarity" for keep in kept]
        return Decision(reasons, {"similarity": cosines.tolist()}, facts)
