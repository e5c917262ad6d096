"""Golf courses and parks."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import mix, vary
from terraseek_demoworld.drawing.plants import plant, tree_positions
from terraseek_demoworld.drawing.shapes import blob, ellipse, smooth_line
from terraseek_demoworld.painters.roads import road
from terraseek_demoworld.painters.water import pond

__all__ = ["golf_course", "park"]


def golf_course(canvas: Canvas) -> Facts:
    """Fairways, greens, bunkers, trees and ponds."""
    rng = canvas.rng
    ground(canvas, mix(canvas.look.grass, (84, 110, 58), 0.4))
    frame = canvas.frame(angle=rng.uniform(0, 2 * np.pi))
    half = 0.62 * canvas.width_m
    for k in range(int(rng.integers(1, 3))):
        bend = (
            rng.uniform(-0.15, 0.15, 2) * canvas.width_m
            + (k * 2 - 1) * 0.2 * canvas.width_m * (k + 1) / 2
        )
        line = smooth_line([(-half, bend[0]), (0, bend[0] * 0.6 + bend[1] * 0.4), (half, bend[1])])
        canvas.stroke(frame.px(line), 34, (112, 150, 80), block=True)
        canvas.stroke(frame.px(line), 28, vary(rng, (122, 164, 88), 4))
    site = frame.child(
        rng.uniform(-0.2, 0.2) * canvas.width_m, rng.uniform(-0.2, 0.2) * canvas.width_m
    )
    for k in range(int(rng.integers(0, 3))):
        at = frame.child(*((-1) ** k * rng.uniform(0.2, 0.38, 2) * canvas.width_m))
        radius = rng.uniform(0.07, 0.13) * canvas.width_m
        apart = np.hypot(at.col - site.col, at.row - site.row) * canvas.gsd_m
        if apart > 1.5 * radius + 60:  # bunkers lie around the green
            pond(canvas, at.px(blob(rng, radius)), (58, 92, 104), "pond")
    canvas.fill(site.px(blob(rng, 15, 0.12)), vary(rng, (138, 184, 98), 4))
    canvas.record("putting green", site.px(ellipse(14, 14)))
    bunkers = int(rng.integers(1, 8))
    for k in range(bunkers):
        turn = 2 * np.pi * k / bunkers + rng.uniform(-0.2, 0.2)
        reach = rng.uniform(22, 28) if k < 4 else rng.uniform(40, 52)
        trap = site.child(reach * np.cos(turn), reach * np.sin(turn)).px(
            blob(rng, rng.uniform(4, 6.5), 0.2)
        )
        canvas.fill(trap, vary(rng, (234, 222, 190), 4), -0.4)
        canvas.record("bunker", trap)
    plant(canvas, tree_positions(canvas, 8, pick(rng, (0.25, 0.8))), 3.2)
    count, water = canvas.count("bunker"), canvas.count("pond")
    return {
        "bunkers": count_phrase(count, "sand bunker"),
        "bare": "is" if count == 1 else "are",
        "ponds": count_phrase(water, "pond") if water else "no pond",
        "pare": "is" if water <= 1 else "are",
        "trees": canvas.look.tree_words,
    }


def park(canvas: Canvas) -> Facts:
    """Lawns with curved paths, trees, a plaza and perhaps a pond."""
    rng = canvas.rng
    ground(canvas, mix(canvas.look.grass, (96, 138, 66), 0.4))
    frame = canvas.frame(
        rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, 2 * np.pi)
    )
    paths = int(rng.integers(3, 7))
    for k in range(paths):
        turn = 2 * np.pi * k / paths
        arm = frame.child(0, 0, turn)
        bend = rng.uniform(-18, 18)
        canvas.stroke(
            arm.px(smooth_line([(0, 0), (30, bend), (70, -bend), (200, bend)])),
            3,
            (212, 200, 174),
            block=True,
        )
    ring = rng.uniform(0.24, 0.34) * canvas.width_m
    canvas.stroke(frame.px(blob(rng, ring, 0.08)), 3, (212, 200, 174), closed=True, block=True)
    middle = pick(rng, ("a pond", "a round plaza", "a fountain"))
    radius = rng.uniform(0.1, 0.16) * canvas.width_m
    if middle == "a pond":
        pond(canvas, frame.px(blob(rng, radius)), vary(rng, (70, 100, 92)), "pond")
    else:
        canvas.fill(frame.px(ellipse(radius, radius)), vary(rng, (206, 196, 178)))
        for share in (0.8, 0.5):
            canvas.stroke(
                frame.px(ellipse(radius * share, radius * share)), 0.5, (170, 150, 130), closed=True
            )
        if middle == "a fountain":
            canvas.fill(frame.px(ellipse(radius * 0.45, radius * 0.45)), (84, 160, 184))
        canvas.record("plaza", frame.px(ellipse(radius, radius)))
    beds = int(rng.integers(0, 6))
    bloom, tone = pick(
        rng, (("red", (196, 66, 70)), ("purple", (138, 86, 150)), ("yellow", (226, 196, 84)))
    )
    for k in range(beds):
        at = frame.child(0, 0, 2 * np.pi * (k + 0.5) / max(beds, 1)).child(radius * 1.5, 0)
        canvas.fill(at.px(ellipse(5, 3)), vary(rng, tone), 0.5)
        canvas.record("flower bed", at.px(ellipse(5, 3)))
    side = rng.random() < 0.5
    if side:
        line = frame.px([(-300, 0.42 * canvas.width_m), (300, 0.42 * canvas.width_m)])
        road(canvas, line, 9, cars_every_m=14)
    plant(canvas, tree_positions(canvas, 8, pick(rng, (0.3, 0.75))), 3.4)
    count = canvas.count("flower bed")
    return {
        "middle": middle,
        "beds": count_phrase(count, f"{bloom} flower bed") if count else "no flower bed",
        "bare": "is" if count <= 1 else "are",
        "paths": count_phrase(paths, "path"),
        "trees": canvas.look.tree_words,
        "near": "beside a road" if side else "far from any road",
    }
