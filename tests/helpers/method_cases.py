"""Settings of every training method at a tiny size."""

from typing import Any

EBAKER: dict[str, Any] = {"heads": 2, "depth": 1, "keywords": 4, "first_epoch": 1}
GUIDED: dict[str, Any] = {"heads": 2, "layers": 1, "keep": 3, "zero_heads": False}
METHODS: dict[str, dict[str, Any]] = {
    "contrastive": {"method": "contrastive"},
    "georsclip": {"method": "georsclip"},
    "ebaker": {"method": "ebaker", "options": {**EBAKER, "drop_ratio": 0.4}},
    "ebaker released": {
        "method": "ebaker",
        "options": {**EBAKER, "vocabulary": "hidden", "release_compatible": True},
    },
    "ebaker split": {"method": "ebaker", "options": {**EBAKER, "elimination": "split"}},
    "pir": {"method": "pir", "options": GUIDED},
    "priorclip": {"method": "priorclip", "options": {}},
    "priorclip closed": {"method": "priorclip", "options": {**GUIDED, "belief": "soft"}},
    "affiliation alone": {"method": "priorclip", "options": {"belief": "none"}},
}
"""Name of a case to the settings of its recipe."""
