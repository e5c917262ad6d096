"""Scene: an airport at the edge of a city (UTM 32N)."""

import numpy as np

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.palette import ASPHALT, CONCRETE, vary
from terraseek_demoworld.drawing.shapes import blob, box, ellipse, rect, smooth_line
from terraseek_demoworld.painters.aviation import (
    apron,
    concrete_slabs,
    plane,
    runway_strip,
    terminal,
)
from terraseek_demoworld.painters.fields import patchwork
from terraseek_demoworld.painters.industry import docks, tank_farm, warehouse
from terraseek_demoworld.painters.rail import station_tracks
from terraseek_demoworld.painters.roads import car_park, junction, road
from terraseek_demoworld.painters.sports import athletics, stadium_bowl, tennis_court
from terraseek_demoworld.scenes.districts import (
    city_centre,
    city_park,
    forest_patch,
    grove,
    housing_district,
)
from terraseek_demoworld.scenes.ground_truth import GroundTruth

__all__ = ["paint_airport_city"]


def paint_airport_city(canvas: Canvas) -> GroundTruth:
    """Runway, terminal and fuel farm in the north; motorway; city with stadium in the south."""
    truth = GroundTruth()
    angle = -0.13
    frame = canvas.frame(0.5, 0.5, angle)
    patchwork(canvas, angle, 190, track=True)
    canvas.objects.clear()  # the fields under the city are no objects of the ground truth
    canvas.blocked[:] = 0
    _airfield(canvas, frame, truth)
    _railway(canvas, frame, truth)
    _city(canvas, frame, truth)
    crossing = frame.child(560, -190)
    junction(canvas, crossing, [0, 1, 2, 3], slips=True, flow=20, deck_m=(-240, 1600))
    truth.add("a motorway interchange with a cloverleaf", crossing.px(ellipse(105, 105, 24)))
    _works(canvas, frame, truth)
    _sports(canvas, frame, truth)
    woods = forest_patch(canvas, frame.child(-560, 850).px(blob(canvas.rng, 210, 0.32)))
    truth.add("a dense forest of green trees", woods)
    grove(canvas, frame.px(box(2600, 2600)), 0.16, 24)
    return truth


def _airfield(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    lawn = canvas.region(frame.px(rect(-1400, -960, 1400, -560)))
    if lawn is not None:
        canvas.cover(lawn, vary(canvas.rng, canvas.look.grass), (128, 134, 84), 40, block=True)
    for x in (-700, -150, 420, 800):
        link = [(x, -800), (x + 26, -800), (x + 46, -680), (x + 14, -680)]
        canvas.fill(frame.px(link), vary(canvas.rng, (120, 120, 120)))
    canvas.fill(frame.px(rect(-950, -692, 950, -666)), vary(canvas.rng, (122, 122, 122)))
    canvas.stroke(frame.px([(-950, -679), (950, -679)]), 0.6, (214, 178, 60))
    runway_strip(canvas, frame.child(0, -800), 1860, 46, (92, 92, 94))
    truth.add("a long dark runway with white stripes", frame.px(rect(-930, -824, 930, -776)))
    plane(canvas, frame.child(-520, -800), 44)
    stand = frame.child(60, -420, np.pi)
    concrete_slabs(canvas, stand, 560, 250, CONCRETE)
    terminal(canvas, stand.child(0, -17), 520, 32)
    apron(canvas, stand, 9, 44, "white", 0.8)
    plane(canvas, frame.child(-120, -540), 42)
    truth.add("planes are parked next to a terminal", stand.px(rect(-265, -34, 265, 82)))
    lot = frame.child(60, -340)
    canvas.fill(frame.px(rect(-300, -386, 420, -374)), ASPHALT)
    car_park(canvas, lot, 330, 3, 0.85)
    truth.add("a parking lot full of cars", lot.px(box(334, 54)))


def _works(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    farm = frame.child(-640, -430)
    tank_farm(canvas, farm, 4, 2, 56, (232, 233, 232))
    truth.add("eight white storage tanks in two rows", farm.px(box(230, 118)))
    yard = frame.child(790, -420)
    canvas.fill(yard.px(box(300, 230)), vary(rng, (150, 148, 144)))
    for i in (-1, 1):
        for j in (-1, 1):
            site = yard.child(i * 74, j * 62)
            warehouse(canvas, site, 126, 78, "blue" if i == j else "white")
            docks(canvas, site.child(0, -j * 49), 110)
    truth.add("large warehouses with blue and white roofs", yard.px(box(300, 230)))
    road(canvas, frame.px([(640, -420), (560, -420), (560, -300)]), 9, cars_every_m=26)


def _railway(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    line = frame.child(-100, 600)
    station_tracks(canvas, line, 3, 4, "red", 3200)
    building = line.child(0, -48)
    warehouse(canvas, building, 90, 22, "gray")
    canvas.objects.pop()  # the station building was recorded as a warehouse
    truth.add("red trains at the platforms of a railway station", line.px(rect(-110, -62, 110, 38)))


def _city(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    west = housing_district(canvas, frame.child(-640, 160), (640, 520), "red")
    truth.add("a dense residential area with red roofs", west)
    middle = city_centre(canvas, frame.child(-40, 180), (434, 434), 58)
    truth.add("tall buildings with long shadows in the city centre", middle)
    south = housing_district(canvas, frame.child(380, 830), (640, 300), "gray", 15.0)
    truth.add("a dense residential area with gray roofs", south)
    road(canvas, frame.px([(-1600, -110), (-300, -110), (-300, 540)]), 12, cars_every_m=16)
    road(canvas, frame.px(smooth_line([(-300, 420), (200, 440), (700, 470), (1600, 520)])), 12,
         cars_every_m=16)  # fmt: skip
    road(canvas, frame.px([(210, 440), (210, 680), (60, 690), (60, 1500)]), 11, cars_every_m=18)
    road(canvas, frame.px([(60, -300), (60, -40)]), 10, cars_every_m=18)
    park = city_park(canvas, frame.child(330, 60), 105)
    truth.add("a park with paths and a pond", park)


def _sports(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    bowl = frame.child(760, 240, 0.5)
    canvas.fill(bowl.px(ellipse(130, 106)), vary(rng, CONCRETE))
    stadium_bowl(canvas, bowl, "blue", roofed=False, track=False)
    truth.add("a stadium with blue seats", bowl.px(ellipse(96, 76, 32)))
    car_park(canvas, bowl.child(0, 150), 230, 3, 0.5)
    track = frame.child(360, 330)
    athletics(canvas, track, 0.9, (174, 84, 70))
    truth.add("a red running track around a football field", track.px(ellipse(78, 42, 32)))
    courts = frame.child(520, 330)
    canvas.fill(courts.px(box(66, 84)), vary(rng, (84, 134, 92)))
    for i in (-1, 0, 1):
        for j in (-1, 1):
            court = courts.child(i * 20, j * 20, np.pi / 2)
            tennis_court(canvas, court, (64, 100, 164), (84, 134, 92))
    truth.add("six blue tennis courts", courts.px(box(66, 84)))
