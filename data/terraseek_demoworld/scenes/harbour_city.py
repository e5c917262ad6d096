"""Scene: a harbour city on an east coast (UTM 36S)."""

import numpy as np
from jaxtyping import Float, Float32

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame, Region
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import CONCRETE, mix, vary
from terraseek_demoworld.drawing.shapes import blob, box, ellipse, rect, smooth_line
from terraseek_demoworld.drawing.textures import fractal
from terraseek_demoworld.painters.buildings import houses
from terraseek_demoworld.painters.coast import sea
from terraseek_demoworld.painters.industry import tank_farm, warehouse
from terraseek_demoworld.painters.rail import station_tracks
from terraseek_demoworld.painters.roads import car_park, road, roundabout_at
from terraseek_demoworld.painters.ships import boat, containers, crane, open_water, ship
from terraseek_demoworld.painters.sports import stadium_bowl
from terraseek_demoworld.scenes.districts import (
    city_centre,
    city_park,
    forest_patch,
    grove,
    housing_district,
)
from terraseek_demoworld.scenes.ground_truth import GroundTruth

__all__ = ["paint_harbour_city"]

_DEEP = (30, 84, 112)
_QUAY_M = 2.0  # quays above the sea
_BASINS = [
    (-70, 185), (330, 185), (330, -30), (560, -30), (560, 870), (330, 870), (330, 660), (-70, 660),
    (-70, 460), (330, 460), (330, 355), (-70, 355),
]  # fmt: skip


def paint_harbour_city(canvas: Canvas) -> GroundTruth:
    """Sea in the east, beach in the north, port in the south, city in the west."""
    truth = GroundTruth()
    frame = canvas.frame(0.5, 0.5, 0.06)
    ground(canvas)
    _coast(canvas, frame, truth)
    _port(canvas, frame, truth)
    _marina(canvas, frame, truth)
    _rail(canvas, frame, truth)
    _city(canvas, frame, truth)
    woods = forest_patch(canvas, frame.child(-830, -700).px(blob(canvas.rng, 250, 0.3)))
    truth.add("a dense forest of green trees", woods)
    grove(canvas, frame.px(box(2600, 2600)), 0.2, 20)
    return truth


def _shore(y: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Local x of the waterline, metres."""
    east: Float[np.ndarray, ...] = 380 + 60 * np.sin(y / 420 + 0.6) + 9 * np.sin(y / 75)
    return east


def _coast(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    whole = canvas.full_region()
    x, y = whole.local_coordinates(frame)
    off: Float32[np.ndarray, "h w"] = (x - _shore(y)).astype(np.float32)
    sandy = (y < -180).astype(np.float32)
    noise = 4 * fractal(rng, off.shape, 40 / canvas.gsd_m, 3)
    strip = np.clip((off + 52 + noise) / canvas.gsd_m, 0, 1) * sandy * (off < 30)
    sand = Region(whole.rows, whole.cols, strip.astype(np.float32)).trimmed()
    canvas.cover(sand, (228, 206, 164),
                 (214, 188, 144), 25, 4, block=True)  # fmt: skip
    wet = np.clip((off + 7) / 7, 0, 0.75) * sandy * (off < 30)
    damp = Region(whole.rows, whole.cols, wet.astype(np.float32)).trimmed()
    tone = np.array((172, 146, 112), np.float32)
    canvas.paint(damp, np.broadcast_to(tone, (*damp.shape, 3)))
    sea(canvas, off, _DEEP, mix(_DEEP, (150, 206, 200), 0.55))
    north = np.linspace(-1500, -190, 60)
    line = np.stack([_shore(north), north], 1)
    truth.add("a yellow beach with white waves", frame.px(np.vstack([line, line[::-1] - (52, 0)])))
    promenade = line - (75, 0)
    road(canvas, frame.px(promenade), 11, cars_every_m=14)


def _port(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    """A basin cut into the coast with quays on three sides and breakwaters outside."""
    rng = canvas.rng
    quay = frame.px(rect(-210, 60, 470, 1020))
    canvas.fill(quay, vary(rng, CONCRETE), _QUAY_M)
    if (region := canvas.region(quay)) is not None:
        canvas.cover(region, vary(rng, CONCRETE), (150, 148, 142), 60, 3, block=True)
    basin = canvas.region(frame.px(_BASINS))
    if basin is not None:
        open_water(canvas, basin, _DEEP, 0)
    for y, bend in ((30, 60), (900, -60)):
        mole = smooth_line([(400, y), (640, y + bend * 0.3), (860, y + bend)])
        canvas.stroke(frame.px(mole), 18, (150, 144, 136), 4, block=True)
        canvas.stroke(frame.px(mole), 6, (196, 192, 184), 4.5)
    for x, y, length, hull, cargo, turn in (
        (60, 205, 190, "blue", "containers", np.pi), (255, 204, 150, "red", "containers", 0.0),
        (80, 478, 200, "red", "hatches", 0.0), (200, 642, 170, "black", "pipes", np.pi),
        (620, 420, 160, "black", "containers", 0.4),
    ):  # fmt: skip
        ship(canvas, frame.child(x, y, turn), length, hull, cargo)
    truth.add("two ships with containers at the quay", frame.px(rect(-40, 184, 335, 226)))
    for row in range(3):
        for k in range(5):
            containers(canvas, frame.child(-10 + k * 78, 164 - row * 26), 66, 16, 9)
    truth.add("stacks of colourful containers", frame.px(rect(-50, 98, 345, 176)))
    for x in (0, 80, 210, 300):
        crane(canvas, frame.child(x, 181))
    for k in range(4):
        warehouse(canvas, frame.child(-40 + k * 92, 415), 82, 40, "gray" if k % 2 else "blue")
    truth.add("four warehouses between the harbour basins", frame.px(rect(-85, 392, 282, 438)))
    farm = frame.child(120, 800)
    tank_farm(canvas, farm, 5, 3, 66, (232, 233, 232))
    truth.add("many white round storage tanks", farm.px(box(336, 204)))
    for k in range(3):
        warehouse(canvas, frame.child(-140, 150 + k * 100), 56, 84, "white")
    for k in range(4):
        containers(canvas, frame.child(-120, 500 + k * 46), 66, 30, 9)
    car_park(canvas, frame.child(-120, 760), 96, 4, 0.7)
    road(canvas, frame.px([(-190, 60), (-190, 1500)]), 10, cars_every_m=18)
    road(canvas, frame.px([(-190, 440), (320, 440)]), 7, cars_every_m=24)


def _marina(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    basin = frame.child(330, -120)
    region = canvas.region(basin.px(rect(-120, -75, 190, 75)))
    if region is not None:
        open_water(canvas, region, _DEEP, 0)
    for y in (-82, 82):
        canvas.stroke(basin.px([(-120, y), (180, y)]), 12, (170, 164, 154), 2, block=True)
    canvas.stroke(basin.px([(180, -82), (200, -20)]), 12, (160, 152, 142), 3, block=True)
    for k in range(6):
        x = -88.0 + k * 40
        canvas.fill(basin.px(rect(x - 1.4, -75, x + 1.4, 45)), (188, 174, 150), 1)
        for berth in np.arange(-66, 44, 5.0):
            for side in (-1, 1):
                if rng.random() < 0.86:
                    length = rng.uniform(9, 14)
                    heading = 0.0 if side > 0 else np.pi
                    boat(canvas, basin.child(x + side * (2 + length / 2), berth, heading), length)
    truth.add("many white boats in a marina", basin.px(rect(-106, -75, 130, 50)))


def _rail(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    line = frame.child(-430, 640, np.pi / 2)
    station_tracks(canvas, line, 3, 4, "blue", 5200)
    canvas.fill(frame.px(rect(-390, 590, -364, 690)), vary(canvas.rng, (190, 92, 72)), 12)
    truth.add(
        "blue trains at the platforms of a railway station", line.px(rect(-110, -62, 110, 38))
    )


def _city(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    front = city_centre(canvas, frame.child(60, -560), (310, 558), 64)
    truth.add("tall buildings with long shadows near the beach", front)
    bowl = frame.child(-250, -420, 0.3)
    canvas.fill(bowl.px(ellipse(140, 112)), vary(rng, CONCRETE))
    stadium_bowl(canvas, bowl, "red", roofed=False, track=True)
    truth.add("a stadium with red seats and a running track", bowl.px(box(224, 164)))
    car_park(canvas, frame.child(-290, -250), 190, 3, 0.7)
    park = city_park(canvas, frame.child(-90, -130), 100)
    truth.add("a park with paths and a pond", park)
    south = housing_district(canvas, frame.child(-760, 500), (500, 800), "red", 13.5)
    truth.add("a dense residential area with red roofs", south)
    north = housing_district(canvas, frame.child(-780, -180), (420, 340), "white", 13.5)
    truth.add("a dense residential area with white roofs", north)
    road(canvas, frame.px([(-1500, 40), (-500, 30), (-190, 70)]), 14, cars_every_m=12)
    road(canvas, frame.px([(-500, 30), (-560, -500), (-470, -1500)]), 12, cars_every_m=14)
    road(canvas, frame.px([(-500, 30), (-100, 10), (190, 20), (190, -290)]), 10, cars_every_m=16)
    round_ = frame.child(-500, 30)
    roundabout_at(canvas, round_, 24, canvas.look.grass)
    truth.add("roads meet at a roundabout", round_.px(box(64, 64)))
    houses(canvas, frame.child(-310, -800), 24, 0.6, "brown", (190, 320))
