"""Caption review: append-only records of several raters, their agreement, import and export."""

from terraseek.review.agreement import gwet_ac2, krippendorff_alpha, quadratic_kappa
from terraseek.review.criteria import CRITERIA, Criterion
from terraseek.review.flags import Flag, caption_flags
from terraseek.review.log import ReviewLog, ReviewProgress
from terraseek.review.rater_keys import RaterKeys, rater_name
from terraseek.review.ratings import (
    RatingsReport,
    import_ratings,
    item_names,
    write_captions,
    write_long,
    write_rs5m,
)
from terraseek.review.records import Review, caption_hash, now
from terraseek.review.statistics import review_stats, score_table

__all__ = [
    "CRITERIA",
    "Criterion",
    "Flag",
    "RaterKeys",
    "RatingsReport",
    "Review",
    "ReviewLog",
    "ReviewProgress",
    "caption_flags",
    "caption_hash",
    "gwet_ac2",
    "import_ratings",
    "item_names",
    "krippendorff_alpha",
    "now",
    "quadratic_kappa",
    "rater_name",
    "review_stats",
    "score_table",
    "write_captions",
    "write_long",
    "write_rs5m",
]
