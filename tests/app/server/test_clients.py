"""Who counts as one client, and the share of the server that one gets."""

import asyncio
import time

import pytest

from terraseek.errors import Cancelled, ServerBusyError, TooManyRequestsError
from terraseek_app.server.clients import ClientCounts, client_name, route_path
from terraseek_app.server.middleware.client_share import MAX_WAITING, PARALLEL, ClientShare
from terraseek_app.server.sessions import GONE_AFTER_S, SessionWatch
from terraseek_app.widgets.background_jobs import JobQueue


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "127.0.0.1"),
        ("127.0.0.9", "127.0.0.1"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_names_of_clients(address: str | None, name: str) -> None:
    assert client_name(address) == name


def test_counts_forget_clients_without_any() -> None:
    counts = ClientCounts(2, "things", 5)
    with counts.hold("a"), counts.hold("a"), counts.hold("b"):
        with pytest.raises(TooManyRequestsError, match="you have 2 things under way") as caught:
            counts.add("a")
        assert caught.value.retry_after_s == 5
    assert not counts.has("a")
    assert not counts.has("b")


def test_a_path_below_another_application() -> None:
    assert route_path({"type": "http", "path": "/x/api/search", "root_path": "/x"}) == "/api/search"
    assert route_path({"type": "http", "path": "/api/search", "root_path": ""}) == "/api/search"


class Routes:
    """An application whose requests end when they are let go."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.gate = asyncio.Event()

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        self.running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


def test_a_client_waits_while_others_are_served() -> None:
    async def main() -> tuple[int, int, list[int]]:
        routes = Routes()
        share = ClientShare(routes)  # type: ignore[arg-type]
        statuses: list[int] = []

        async def ask(address: str, path: str = "/api/search") -> None:
            async def send(message: dict[str, object]) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(int(str(message["status"])))

            scope = {"type": "http", "path": path, "client": (address, 1), "headers": []}
            await share(scope, None, send)  # type: ignore[arg-type]

        greedy = [asyncio.create_task(ask("192.0.2.1")) for _ in range(PARALLEL + MAX_WAITING + 7)]
        await asyncio.sleep(0.05)
        of_greedy = routes.running
        more = [asyncio.create_task(ask("192.0.2.2")), asyncio.create_task(ask("192.0.2.1", "/"))]
        await asyncio.sleep(0.05)
        of_both = routes.running
        assert statuses == [429] * 7
        routes.gate.set()
        await asyncio.gather(*greedy, *more)
        return of_greedy, of_both, statuses

    of_greedy, of_both, statuses = asyncio.run(main())
    assert (of_greedy, of_both) == (PARALLEL, PARALLEL + 2)
    assert statuses.count(200) == PARALLEL + MAX_WAITING + 2


def test_a_page_that_was_closed_stops_its_job() -> None:
    clock = [100.0]
    connected = [True]
    watch = SessionWatch(lambda: connected[0], lambda: clock[0])
    connected[0] = False
    clock[0] += GONE_AFTER_S - 1
    assert watch()  # a browser that connects again
    connected[0] = True
    assert watch()
    connected[0] = False
    clock[0] += GONE_AFTER_S + 1

    def work(progress: object) -> None:
        assert callable(progress)
        while True:
            progress("encode windows", 1, 0)
            time.sleep(0.005)

    job = JobQueue[None]().start("endless", work, watch)
    assert job.has_ended(wait_s=60)
    with pytest.raises(Cancelled, match="the page was closed"):
        job.result()


def test_waiting_jobs_are_bounded() -> None:
    jobs = JobQueue[None](workers=1, max_waiting=2)
    gone = [False]

    def work(progress: object) -> None:
        assert callable(progress)
        while not gone[0]:
            progress("encode windows", 1, 0)
            time.sleep(0.005)

    started = [jobs.start("endless", work) for _ in range(3)]
    with pytest.raises(ServerBusyError, match="3 other questions are waiting"):
        jobs.start("one more", work)
    gone[0] = True
    assert all(job.has_ended(wait_s=60) for job in started)
    jobs.start("one more", work)
