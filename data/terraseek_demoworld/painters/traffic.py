"""Images about cars: parking lots, roundabouts and motorway interchanges."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import CONCRETE
from terraseek_demoworld.drawing.plants import plant, scatter_trees, tree_positions
from terraseek_demoworld.drawing.shapes import box, smooth_line
from terraseek_demoworld.painters.buildings import flat_block, houses
from terraseek_demoworld.painters.roads import car_park, junction, road, roundabout_at

__all__ = ["interchange", "parking_lot", "roundabout"]


def parking_lot(canvas: Canvas) -> Facts:
    """A car park, perhaps beside a large building."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, np.pi))
    rows = int(rng.integers(2, 6))
    width = rng.uniform(0.55, 0.85) * canvas.width_m
    full, words = pick(rng, ((0.93, "full of cars"), (0.5, "half full"), (0.08, "almost empty")))
    car_park(canvas, frame, width, rows, full)
    canvas.record("parking lot", frame.px(box(width + 4, rows * 17 + 3)))
    beside = pick(rng, ("a large building", "a road", "green trees"))
    edge = rows * 8.5 + 2
    if beside == "a large building":
        site = frame.child(0, edge + 20)
        roof = flat_block(canvas, site, 70, 32, 9)
        beside = f"a large building with a {roof} roof"
    elif beside == "a road":
        line = frame.px([(-400, edge + 9), (400, edge + 9)])
        road(canvas, line, 8, cars_every_m=18)
    else:
        beside = canvas.look.tree_words
        scatter_trees(canvas, 8, 0.9, 3.2)
    scatter_trees(canvas, 12, 0.3, 2.8)
    return {"full": words, "rows": count_phrase(rows, "row"), "beside": beside}


def roundabout(canvas: Canvas) -> Facts:
    """Roads meeting at a roundabout among houses or trees."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, 6.3))
    arms = int(rng.integers(3, 6))
    radius = rng.uniform(15, 24)
    for arm in range(arms):
        turn = 2 * np.pi * arm / arms + rng.normal(0, 0.12)
        way = [(0, 0), (60 * np.cos(turn), 60 * np.sin(turn))]
        bend = turn + rng.normal(0, 0.15)
        way.append((400 * np.cos(bend), 400 * np.sin(bend)))
        road(canvas, smooth_line(frame.px(way), 2), 9, cars_every_m=20)
    middle, words = pick(
        rng,
        (
            (canvas.look.grass, f"{canvas.look.grass_words}"),
            (CONCRETE, "pale paving"),
            ((70, 118, 140), "a round fountain"),
        ),
    )
    roundabout_at(canvas, frame, radius, middle)
    if words == canvas.look.grass_words and rng.random() < 0.5:
        around_it = rng.uniform(0, 6.3, 9)
        ring = np.stack([np.cos(around_it), np.sin(around_it)], 1) * rng.uniform(
            2, radius - 9, (9, 1)
        )
        inside = frame.px(ring)
        keep = ((inside > 0) & (inside < canvas.cols - 1)).all(1)
        plant(canvas, inside[keep], 2.6)
        words = "trees"
    around = pick(rng, ("houses", "trees", "open ground"))
    roof = ""
    if around == "houses":
        roof = houses(canvas, frame.child(0, 0, 0.2), 17, 0.9)
        around = f"houses with {roof} roofs"
    elif around == "trees":
        plant(canvas, tree_positions(canvas, 7, 0.85), 3.4)
        around = canvas.look.tree_words
    else:
        around = canvas.look.grass_words
    scatter_trees(canvas, 12, 0.2)
    return {"arms": count_phrase(arms, "road"), "middle": words, "around": around}


def interchange(canvas: Canvas) -> Facts:
    """Two motorways on two levels with ramps between them."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6), rng.uniform(0, np.pi))
    count = int(pick(rng, (0, 1, 2, 4, 4)))
    loops = [int(quarter) for quarter in rng.permutation(4)[:count]]
    flow, traffic = pick(rng, ((14.0, "busy"), (28.0, "moderate"), (70.0, "light")))
    slips = count != 4 or bool(rng.random() < 0.5)
    junction(canvas, frame, loops, slips=slips, flow=flow, skew=rng.uniform(-0.25, 0.25))
    woods = rng.random() < 0.5
    if woods:
        plant(canvas, tree_positions(canvas, 7, 0.9), 3.4)
    else:
        scatter_trees(canvas, 14, 0.2)
    kind = {0: "an overpass", 1: "one loop ramp", 2: "two loop ramps", 4: "a cloverleaf"}[count]
    words = canvas.look.tree_words if woods else canvas.look.grass_words
    return {"kind": kind, "around": words, "traffic": traffic}
