"""What a run of a page sends to the browser: its data, not the files of its components."""

from helpers.page_steps import Open

MOST_BYTES = 25_000
"""Of scripts and styles in one message; the styles of the map alone are 88 kB."""


def test_files_of_the_map_are_not_sent_with_every_run(open_page: Open) -> None:
    sent = [element.proto for element in open_page("explore", q="red").get("bidi_component")]
    assert {"terraseek_map", "terraseek_gallery"} <= {proto.component_name for proto in sent}
    for proto in sent:
        assert len(proto.css_content) + len(proto.js_content) < MOST_BYTES
