"""The list of localization methods."""

from terraseek.errors import ConfigError
from terraseek.localization.methods.base import Method
from terraseek.localization.methods.dense import DenseMethod
from terraseek.localization.methods.mixed import MixedMethod
from terraseek.localization.methods.selo import SeloV1, SeloV2
from terraseek.localization.methods.windows import WindowMethod

__all__ = ["DEFAULT_METHOD", "METHODS", "get_method"]

METHODS: dict[str, Method] = {
    method.name: method
    for method in (MixedMethod(), WindowMethod(), DenseMethod(), SeloV1(), SeloV2())
}
"""All methods by name, in the order in which they are listed."""
DEFAULT_METHOD = MixedMethod.name


def get_method(name: str) -> Method:
    """The method of a name.

    Raises:
        ConfigError: there is none; the message lists the names.
    """
    if name not in METHODS:
        raise ConfigError(f"method {name!r} is unknown; there are {', '.join(METHODS)}")
    return METHODS[name]
