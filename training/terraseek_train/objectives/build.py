"""The model that a recipe trains: its method, initial weights, and what of it is trained."""

from collections.abc import Callable, Mapping
from typing import Any

from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig
from terraseek_train.data.corpus import Corpus
from terraseek_train.loop.frozen import remember_frozen
from terraseek_train.loop.model import ClipModel
from terraseek_train.loop.start import initialize_weights
from terraseek_train.objectives.contrastive import ContrastiveModel, GeorsclipModel
from terraseek_train.objectives.ebaker import EbakerModel
from terraseek_train.objectives.prior import PriorModel
from terraseek_train.peft import apply

__all__ = ["build_training_model"]

_MODELS: Mapping[str, Callable[[TrainConfig, Any, Corpus], ClipModel]] = {
    "contrastive": lambda config, options, corpus: ContrastiveModel(config, corpus),
    "georsclip": lambda config, options, corpus: GeorsclipModel(config, options),
    "ebaker": EbakerModel,
    "pir": lambda config, options, corpus: PriorModel(config, options),
    "priorclip": lambda config, options, corpus: PriorModel(config, options),
}
"""How the model of each method of `terraseek_train.methods.options.METHODS` is made."""


def build_training_model(
    config: TrainConfig, corpus: Corpus, progress: Progress = silent
) -> ClipModel:
    """Build the model of the config's method, on the CPU, with its initial weights.

    Afterwards exactly those parameters of the towers require gradients that `tune` names; the parts
    that a method adds always do.

    Raises:
        ConfigError: an option or a tower that the method cannot use.
        ModelError: the initial weights are absent, damaged, or do not fit.
    """
    model = _MODELS[config.method](config, config.method_options(), corpus)
    initialize_weights(model, config, progress)
    apply(model.clip, config.tuning())
    if config.views:
        # released code counts the states of padding, which are not kept
        remember_frozen(model.clip, not config.options.get("release_compatible", False))
    if config.freeze_words:
        model.freeze_token_embedding()
    return model
