"""Waiting times that a page in Chromium measures itself, from the user's event to the result.

The clock starts with the event of the key or pointer in the page and stops in the first frame in
which the result is there, so that the driver's own time is not part of it.
"""

import itertools
from collections.abc import Callable
from typing import Any

__all__ = ["CHROMIUM_ARGUMENTS", "WAIT_MS", "Session"]

WAIT_MS = 180_000
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--enable-precise-memory-info",
    "--js-flags=--expose-gc",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_SEARCH = "What to look for"
_QUESTION = "What to look for in the scene"
_HELPERS = """
window.__all = (selector, root = document) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll("*")]
    .flatMap((node) => node.shadowRoot ? __all(selector, node.shadowRoot) : []),
];
window.__tiles = () => __all(".tile").map((tile) => tile.dataset.id).join(" ");
window.__images = () => {
  const images = __all(".tile img").slice(0, 6);
  return images.length > 0 && images.every((image) => image.complete && image.naturalWidth > 0);
};
window.__field = (label) => __all(`[aria-label="${label}"]`).some((one) => one.offsetParent);
window.__picture = () => {
  const image = __all(".st-key-review_picture img")[0];
  return image?.complete && image.naturalWidth ? image.src : "";
};
window.__heat = () => {
  const world = window.__terraseek?.localize_map;
  const shown = [...(world?.overlays?.values() ?? [])].filter((one) => one.codes && one.values);
  const drawn = world?.state.heatVisible && world.map.loaded(); // loaded: a frame with all of it
  return drawn ? shown.map((one) => one.overlay.url).join(" ") : "";
};
window.__times = {};
for (const kind of ["keydown", "pointerdown", "pointermove"]) { // before the page's own listeners
  addEventListener(kind, (event) => { window.__times[kind] = event.timeStamp; }, true);
}
"""
"""Selectors that look into shadow roots, what is shown, and the clock."""


class Session:
    """A page of the browser on a served catalogue, and the times measured on it."""

    def __init__(self, page: Any, address: str) -> None:  # noqa: ANN401 - playwright has no types here
        """Drive a page.

        Args:
            page: a page of playwright.
            address: URL of the server.
        """
        self.page = page
        self.address = address
        self.words = (f"{word} {n}" for n in itertools.count() for word in ("roofs", "fields"))
        self.turns = itertools.count()
        page.add_init_script(_HELPERS)

    def open_explore(self) -> None:
        """Load Explore."""
        self.page.goto(self.address)
        self.page.get_by_label(_SEARCH, exact=True).wait_for(timeout=WAIT_MS)

    def open_empty(self) -> None:
        """Load the empty page."""
        self.page.goto(self.address)
        self.page.get_by_role("button", name="more").wait_for(timeout=WAIT_MS)

    def timed(
        self, act: Callable[[], object], event: str, until: str, before: object = None
    ) -> float:
        """Milliseconds from an event in the page until a condition holds.

        Args:
            act: what the user does.
            event: name of the DOM event it ends with, which starts the clock.
            until: JavaScript expression, in which `old` is `before`.
            before: what was shown before.
        """
        self.page.evaluate("window.__times = {}")
        act()
        began = f"window.__times.{event}"
        found = self.page.wait_for_function(
            f"old => {began} && ({until}) ? performance.now() - {began} : 0",
            arg=before,
            timeout=WAIT_MS,
        )
        return float(found.json_value())

    def press_empty(self) -> float:
        """The button of the empty page, until its text counts further."""
        button = self.page.get_by_role("button", name="more")
        before = self.page.get_by_text("pressed ").inner_text()
        until = "document.body.innerText.includes('pressed ') && !document.body.innerText"
        return self.timed(button.click, "pointerdown", f"{until}.includes(old)", before)

    def search(self) -> float:
        """Words that were not asked before, until the images of other results are there."""
        box = self.page.get_by_label(_SEARCH, exact=True)
        box.fill(next(self.words))
        before = self.page.evaluate("__tiles()")
        until = "__tiles() !== old && __images()"
        return self.timed(lambda: box.press("Enter"), "keydown", until, before)

    @property
    def has_filters(self) -> bool:
        """Whether the page offers a list of values to filter by."""
        return bool(self.page.locator(".facet .row:visible").count())

    def filter(self) -> float:
        """One of the values of the first lists of the filters, switched on, then off."""
        row = self.page.locator(".facet .row:visible").first
        before = self.page.evaluate("__tiles()")
        return self.timed(row.click, "pointerdown", "__tiles() !== old && __images()", before)

    def hover(self) -> float:
        """The pointer over a result, until its mark on the map is lit."""
        self.page.mouse.move(5, 5)
        self.page.wait_for_function("!__all('.ts-lit').length", timeout=WAIT_MS)
        place = self.page.locator(".tile .pick").nth(next(self.turns) % 4).bounding_box()
        at = (place["x"] + place["width"] / 2, place["y"] + place["height"] / 4)
        lit = "__all('.ts-lit').length > 0"
        return self.timed(lambda: self.page.mouse.move(*at), "pointermove", lit)

    def switch(self) -> float:
        """From Explore to Localize or back, until the other page's main field is there."""
        here = self.page.evaluate("label => __field(label)", _SEARCH)
        name, field = ("Localize", _QUESTION) if here else ("Explore", _SEARCH)
        link = self.page.get_by_role("link", name=name)
        return self.timed(link.click, "pointerdown", "__field(old)", field)

    def open_localize(self) -> None:
        """Go to Localize, if the page is another."""
        if not self.page.evaluate("label => __field(label)", _QUESTION):
            self.switch()

    def encode_scene(self) -> None:
        """Ask the first sentence on the scene, and wait for its whole answer."""
        self.ask_scene()  # perhaps that of a part of the windows
        self.page.get_by_text("answered in").wait_for(timeout=WAIT_MS)

    def ask_scene(self) -> float:
        """A sentence on the scene, until its heat is drawn."""
        box = self.page.get_by_label(_QUESTION)
        before = self.page.evaluate("__heat()")
        box.fill(next(self.words))
        until = "__heat() && __heat() !== old"
        return self.timed(lambda: box.press("Enter"), "keydown", until, before)

    def open_review(self) -> None:
        """Go to Review and sign in."""
        self.page.get_by_role("link", name="Review").click()
        self.page.get_by_label("Your name").fill(f"benchmark {next(self.turns)}")
        self.page.keyboard.press("Enter")
        self.page.wait_for_function("__picture()", timeout=WAIT_MS)
        self.page.wait_for_selector(".st-key-review_open", timeout=WAIT_MS)
        self.page.wait_for_selector('[data-test-script-state="notRunning"]', timeout=WAIT_MS)

    def review_next(self) -> float:
        """A key that skips an image, until the next one is there."""
        before = self.page.evaluate("__picture()")
        until = "__picture() && __picture() !== old"
        return self.timed(lambda: self.page.keyboard.press("s"), "keydown", until, before)

    def heap_mib(self) -> float:
        """JavaScript heap of the page in MiB, after a garbage collection."""
        self.page.evaluate("window.gc()")
        return float(self.page.evaluate("performance.memory.usedJSHeapSize")) / 2**20
