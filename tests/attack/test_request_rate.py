"""A client of the HTTP API has a number of expensive requests per minute."""

import asyncio
import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from attack.served import Server, served
from terraseek.errors import ConfigError
from terraseek_app.server.middleware.request_rate import RequestRate, TokenBuckets
from terraseek_app.server.settings import Settings

LIMIT = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of one chip and one scene that allows few requests per minute."""
    from terraseek.catalogue import Catalogue, import_source
    from terraseek.embeddings import embed_catalogue
    from terraseek.encoders.fake import FakeEncoder

    folder = tmp_path_factory.mktemp("served")
    (folder / "chips").mkdir()
    (folder / "scenes").mkdir()
    red = Image.fromarray(np.full((64, 64, 3), (230, 20, 20), np.uint8))
    red.save(folder / "chips" / "a.png")
    red.save(folder / "scenes" / "s.png")
    import_source(folder / "chips", folder / "cat", name="chips")
    embed_catalogue(Catalogue.open(folder / "cat"), FakeEncoder())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERRASEEK_REQUESTS_PER_MINUTE", str(LIMIT))
        with served(folder / "cat", folder / "scenes", folder / "log.txt") as running:
            yield running


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def from_client(address: str) -> str:
    """Header of a proxy on this computer, which names the client that it forwards for."""
    return f"X-Forwarded-For: {address}\r\n"


def test_searches_beyond_the_rate_are_refused_and_others_are_served(server: Server) -> None:
    outsider = from_client("192.0.2.1")
    answers = [server.get("/api/search?q=red", outsider) for _ in range(4 * LIMIT)]
    refused = [answer for answer in answers if status(answer) != 200]
    assert status(answers[LIMIT - 1]) == 200
    assert len(refused) >= LIMIT  # a slow computer fills the bucket meanwhile
    assert {status(answer) for answer in refused} == {429}
    head, _, body = refused[-1].partition(b"\r\n\r\n")
    found = re.search(rb"retry-after: (\d+)", head.lower())
    assert found is not None
    assert 1 <= int(found[1]) <= 60 / LIMIT + 1
    answer = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])  # sent in chunks
    assert answer["error"] == "TooManyRequestsError"
    assert f"more than {LIMIT} requests per minute" in answer["what"]
    # what pages load, other clients, and programs on this computer
    assert status(server.get("/tiles/items.json", outsider)) == 200
    assert status(server.get("/api/search?q=red", from_client("192.0.2.2"))) == 200
    assert {status(server.get("/api/search?q=red")) for _ in range(2 * LIMIT)} == {200}


def test_a_localization_counts_as_several_searches(server: Server) -> None:
    outsider = from_client("192.0.2.3")
    scene = json.loads(server.get("/api/scenes").partition(b"\r\n\r\n")[2])["scenes"][0]["id"]
    answers = [server.get(f"/api/localize/{scene}?q=red&scales=32", outsider) for _ in range(9)]
    assert [status(answer) for answer in answers[:2]] == [200, 200]
    assert 429 in {status(answer) for answer in answers}


def test_buckets_fill_with_time() -> None:
    now = [0.0]
    buckets = TokenBuckets(lambda: now[0])
    assert [buckets.take("a", 1, 60) for _ in range(61)] == [0.0] * 60 + [1.0]
    assert buckets.take("b", 5, 60) == 0
    now[0] = 1.0
    assert buckets.take("a", 1, 60) == 0
    assert buckets.take("a", 5, 60) == 5.0
    now[0] = 1000.0  # not more than a full bucket
    assert [buckets.take("a", 1, 60) for _ in range(61)] == [0.0] * 60 + [1.0]
    assert buckets.take("c", 5, 2) == 0  # a full bucket has enough for any request


def test_many_clients_do_not_fill_the_memory() -> None:
    buckets = TokenBuckets(lambda: 0.0)
    for number in range(10_000):
        buckets.take(f"client {number}", 1, 60)
    assert len(buckets._buckets) <= 4096
    assert buckets.take("client 9999", 60, 60) > 0  # the latest are known


@pytest.mark.parametrize(("path", "limit"), [("/tiles/density/0/0/0", 1), ("/api/search", 0)])
def test_routes_and_servers_without_a_rate(path: str, limit: int) -> None:
    statuses = []

    async def app(scope: object, receive: object, send: object) -> None:
        statuses.append(200)

    async def main() -> None:
        limited = RequestRate(app, lambda: limit)
        for _ in range(5):
            scope = {"type": "http", "path": path, "client": ("192.0.2.1", 1), "headers": []}
            await limited(scope, None, None)  # type: ignore[arg-type]

    asyncio.run(main())
    assert statuses == [200] * 5


def test_the_setting() -> None:
    assert Settings.from_env({}).requests_per_minute == 600
    assert Settings.from_env({"TERRASEEK_REQUESTS_PER_MINUTE": "0"}).requests_per_minute == 0
    with pytest.raises(ConfigError, match=r"TERRASEEK_REQUESTS_PER_MINUTE is '-3'"):
        Settings.from_env({"TERRASEEK_REQUESTS_PER_MINUTE": "-3"})
