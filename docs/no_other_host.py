"""Hook of mkdocs: fail if a page of the site would load something from another host."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

_LOADED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)",
    re.IGNORECASE,
)


def on_post_build(config: Any) -> None:  # noqa: ANN401 - mkdocs has no types
    """Look through every page for scripts, styles, fonts and images of other hosts."""
    site = Path(config["site_dir"])
    found = sorted(
        f"{page.relative_to(site)}: {address}"
        for page in site.rglob("*.html")
        for address in _LOADED.findall(page.read_text(encoding="utf-8"))
    )
    if found:
        raise PluginError("pages would contact other hosts:\n" + "\n".join(found[:20]))
