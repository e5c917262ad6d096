"""Limits of the uploads that Streamlit holds in memory: of each client, and of all.

A page's upload field sends its file to a route of Streamlit, which keeps it in memory until the
session ends or the page drops it, any number of files of any number of sessions.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from streamlit import runtime

from terraseek.errors import TooManyRequestsError
from terraseek_app.server.clients import ClientCounts, client_of, route_path
from terraseek_app.server.middleware.refusals import refuse, refuse_for

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FILES_IN_ALL", "FILES_OF_CLIENT", "StreamlitUploads"]

FILES_OF_CLIENT = 2
"""Bytes that Streamlit holds for a client, in files of the largest accepted size."""
FILES_IN_ALL = 4
"""Bytes that Streamlit holds for all clients, in files of the largest accepted size."""
PARALLEL = 3
"""Uploads of one client at the same time."""
RETRY_AFTER_S = 30

_ADDRESS = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)")
_FRAME_BYTES = 1 << 16
"""Bytes of a form around its file, at most."""


@dataclass
class _Upload:
    """A file that Streamlit holds or receives."""

    client: str
    size: int
    is_complete: bool = False


class StreamlitUploads:
    """ASGI middleware that refuses uploads beyond the limits before or while they are received."""

    def __init__(self, app: "ASGIApp", max_upload_bytes: Callable[[], int]) -> None:
        """Wrap an application.

        Args:
            app: the application.
            max_upload_bytes: called for each upload; largest accepted file.
        """
        self._app = app
        self._max_upload_bytes = max_upload_bytes
        self._uploads: dict[tuple[str, str], _Upload] = {}
        self._running = ClientCounts(PARALLEL, "uploads", RETRY_AFTER_S)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        address = _ADDRESS.fullmatch(route_path(scope)) if scope["type"] == "http" else None
        if address is None or scope["method"] != "PUT":
            await self._app(scope, receive, send)
            return
        session_id, file_id = address.groups()
        client = client_of(scope)
        try:
            with self._running.hold(client):
                await self._receive((session_id, file_id), client, scope, receive, send)
        except TooManyRequestsError as error:
            await refuse_for(error, 429, scope, receive, send)

    async def _receive(
        self, key: tuple[str, str], client: str, scope: "Scope", receive: "Receive", send: "Send"
    ) -> None:
        self._forget_dropped()
        before = self._uploads.pop(key, None)  # the same file again, which is replaced
        declared = _declared_bytes(scope)
        free, problem = self._free_bytes(client)
        if declared > free:
            await _refuse(problem, scope, receive, send)
            if before is not None:
                self._uploads[key] = before
            return
        upload = self._uploads[key] = _Upload(client, declared)
        received, refused, is_kept = 0, False, False

        async def counted() -> "Message":
            nonlocal received, refused
            message = await receive()
            received += len(message.get("body", b""))
            # without a declared length, the room is checked as the bytes arrive
            if received > upload.size:
                upload.size = received
                if self._free_bytes(client)[0] < 0:
                    refused = True
                    return {"type": "http.disconnect"}
            return message

        async def checked_send(message: "Message") -> None:
            nonlocal is_kept
            if message["type"] == "http.response.start" and not refused:
                is_kept = 200 <= message["status"] < 300
            if not refused:
                await send(message)

        try:
            await self._app(scope, counted, checked_send)
        except ClientDisconnect:
            if not refused:
                raise
        finally:
            upload.is_complete = True
            if not is_kept and self._uploads.get(key) is upload:
                del self._uploads[key]
                if before is not None:  # Streamlit has kept the file of before
                    self._uploads[key] = before
        if refused:
            await _refuse(problem, scope, receive, send)

    def _free_bytes(self, client: str) -> tuple[int, tuple[int, str]]:
        """Bytes that are left for a client; status and message if they do not suffice."""
        largest = self._max_upload_bytes()
        of_client = sum(u.size for u in self._uploads.values() if u.client == client)
        in_all = sum(u.size for u in self._uploads.values())
        free_of_client = FILES_OF_CLIENT * largest + _FRAME_BYTES - of_client
        free_in_all = FILES_IN_ALL * largest + _FRAME_BYTES - in_all
        if free_of_client <= free_in_all:
            what = "your other uploads are still held in memory; close other pages of this server"
            return free_of_client, (429, f"{what}, or try again in {RETRY_AFTER_S} s")
        what = "the server holds uploads of others and has no room for this one"
        return free_in_all, (507, f"{what}; try again in {RETRY_AFTER_S} s")

    def _forget_dropped(self) -> None:
        """Forget files that Streamlit no longer holds."""
        manager = runtime.get_instance().uploaded_file_mgr if runtime.exists() else None
        for (session_id, file_id), upload in list(self._uploads.items()):
            held = manager is not None and manager.get_files(session_id, [file_id])
            if upload.is_complete and not held:
                del self._uploads[session_id, file_id]


async def _refuse(
    problem: tuple[int, str], scope: "Scope", receive: "Receive", send: "Send"
) -> None:
    status, what = problem
    await refuse(status, what, scope, receive, send, "UploadQuota", RETRY_AFTER_S)


def _declared_bytes(scope: "Scope") -> int:
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:18])
    return 0
