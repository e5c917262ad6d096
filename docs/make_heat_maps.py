"""Draw docs/images/heat-maps.png: `python docs/make_heat_maps.py DEMO_WORLD`.

Good maps and bad ones, of the demo world only: images of real data must not be published.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from terraseek.encoders.load import load_encoder
from terraseek.localization import LocalizeOptions, localize_many, overlay
from terraseek.scenes import Scene

SENTENCES = {
    "airport_city": ("planes parked next to a terminal", "a runway", "a stadium", "red trains"),
    "farmland": ("solar panels", "a small village", "green circular farmland", "a curved river"),
    "harbour_city": ("storage tanks", "ships in a harbour", "a beach", "a baseball field"),
}
SIDE, LINE = 300, 26


def with_caption(image: Image.Image, caption: str) -> Image.Image:
    """The image with its caption below."""
    card = Image.new("RGB", (SIDE, SIDE + LINE), "white")
    card.paste(image, (0, 0))
    font = ImageFont.load_default(12)
    ImageDraw.Draw(card).text((4, SIDE + 4), caption, fill=(30, 40, 50), font=font)
    return card


def draw_maps(world: Path) -> Image.Image:
    """One row per scene, one column per sentence, with the level of evidence."""
    encoder = load_encoder()
    columns = max(len(sentences) for sentences in SENTENCES.values())
    sheet = Image.new("RGB", (columns * (SIDE + 6), len(SENTENCES) * (SIDE + LINE)), "white")
    for row, (name, sentences) in enumerate(SENTENCES.items()):
        with Scene.open(world / "scenes" / f"{name}.tif") as scene:
            heat_maps = localize_many(scene, list(sentences), encoder, LocalizeOptions())
            for column, (sentence, heat_map) in enumerate(zip(sentences, heat_maps, strict=True)):
                image = Image.fromarray(overlay(scene, heat_map, SIDE))
                level = {"none": "no evidence"}.get(
                    str(heat_map.significance), heat_map.significance
                )
                card = with_caption(image, f"{sentence}: {level}")
                sheet.paste(card, (column * (SIDE + 6), row * (SIDE + LINE)))
    return sheet


if __name__ == "__main__":
    image = draw_maps(Path(sys.argv[1])).convert("P", palette=Image.Palette.ADAPTIVE, colors=192)
    image.save(Path(__file__).parent / "images" / "heat-maps.png", optimize=True)
