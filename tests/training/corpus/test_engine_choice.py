"""Which engine `terraseek corpus run` uses."""

import pytest

from terraseek.errors import ConfigError
from terraseek_train.corpus.commands import _engine
from terraseek_train.corpus.engines.local import LocalEngine


def test_the_local_engine_is_the_default_and_has_no_address():
    with _engine("local", 1, None) as engine:
        assert isinstance(engine, LocalEngine)
    for name, address in (("local", "auto"), ("nosuch", None)):
        with pytest.raises(ConfigError, match="use local, or ray"):
            _engine(name, 1, address)
