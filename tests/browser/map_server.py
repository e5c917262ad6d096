"""Serve `map_page.py` with the app's routes and two generated images: CATALOGUE PORT."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

os.environ["TERRASEEK_CATALOGUE"], os.environ["TERRASEEK_MODEL"] = sys.argv[1], "fake"

from terraseek_app.api.responses import EXCEPTION_HANDLERS  # noqa: E402 - reads the lines above
from terraseek_app.asgi import routes  # noqa: E402


def png(pixels: np.ndarray) -> Response:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
    return Response(out.getvalue(), media_type="image/png")


def heat(request: Request) -> Response:
    """Value 200 in the left half, 50 in the right; the top tenth is transparent."""
    value = np.full((100, 200), 50)
    value[:, :100] = 200
    mask = np.full_like(value, 255)
    mask[:10] = 0
    return png(np.stack([value, mask, value], axis=-1))


def scene(request: Request) -> Response:
    return png(np.full((100, 200, 3), 90))


app = st.App(
    Path(__file__).parent / "map_page.py",
    routes=[Route("/test/heat.png", heat), Route("/test/scene.png", scene), *routes()],
    exception_handlers=EXCEPTION_HANDLERS,
)
if __name__ == "__main__":
    app.run(
        config={
            "server.port": int(sys.argv[2]),
            "server.headless": True,
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": False,
        }
    )
