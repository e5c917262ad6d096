"""EBAKER: eliminate before align, local alignment, keyword explicit reasoning."""

from terraseek_train.methods.ebaker.eliminate import SimilarityBank, keep_rows
from terraseek_train.methods.ebaker.ker import KeywordReasoner
from terraseek_train.methods.ebaker.keywords import (
    MaskedText,
    keyword_statistics,
    mask_keywords,
    mask_keywords_as_released,
)
from terraseek_train.methods.ebaker.local import combined_scores, local_scores, local_similarity
from terraseek_train.methods.ebaker.loss import (
    EbakerLoss,
    EbakerOptions,
    ebaker_loss,
    row_contrastive,
)

__all__ = [
    "EbakerLoss",
    "EbakerOptions",
    "KeywordReasoner",
    "MaskedText",
    "SimilarityBank",
    "combined_scores",
    "ebaker_loss",
    "keep_rows",
    "keyword_statistics",
    "local_scores",
    "local_similarity",
    "mask_keywords",
    "mask_keywords_as_released",
    "row_contrastive",
]
