"""Random requests to the API: it never fails, and its responses match its description."""

import csv
from collections.abc import Iterator

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from PIL import Image
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.applications import Starlette

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.asgi import routes
from terraseek_app.server import state
from terraseek_app.server.settings import Settings

APP = Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP)
EXAMPLES = 8


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A catalogue of four chips, one without a place, and one scene."""
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "scenes").mkdir()
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["filename", "caption", "lat", "lon"])
        for number, place in enumerate([(48.9, 2.3), (-18, 179.9), (0, 0), ("", "")]):
            pixels = np.full((16, 16, 3), 60 * number, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
            table.writerow([f"{number}.png", f"a field {number}", *place])
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(folder / "scenes" / "plain.png")
    import_source(folder / "items.csv", folder / "cat", name="fields")
    embed_catalogue(Catalogue.open(folder / "cat"), FakeEncoder())
    state.reset(Settings(catalogue=folder / "cat", model="fake", scenes=folder / "scenes"))
    yield
    state.reset(Settings())


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,  # the same examples on every machine
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_route_answers_as_described(case: schemathesis.Case) -> None:
    response = case.call()
    case.validate_response(
        response,
        checks=[
            schemathesis.checks.not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )
