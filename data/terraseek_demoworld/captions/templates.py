"""Sentence templates in the style of RSICD, filled with what one image shows."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts

__all__ = ["TEMPLATES", "compose_captions"]

TEMPLATES: dict[str, tuple[str, ...]] = {
    "airport": (
        "{planes} {are} parked next to a {terminal} in an airport .",
        "{number} {are} parked beside a terminal with {behind} behind it .",
        "an airport with {planes} and a {terminal} .",
        "there {are} {planes} on the apron of the airport .",
        "{behind} can be seen near the {terminal} of an airport with {number} .",
        "the {terminal} has {planes} in front of it .",
        "{livery} planes stand at the gates of the airport terminal .",
    ),
    "runway": (
        "a {surface} runway with {marks} is surrounded by {grass} .",
        "there {are} {planes} on the {surface} runway .",
        "the runway has {marks} and {taxi} beside it .",
        "an airport runway in {grass} with {planes} on it .",
        "a long {surface} runway with {taxi} and {planes} .",
        "{grass} lies on both sides of a {surface} airport runway .",
    ),
    "harbour": (
        "{boats} are docked in a {kind} with {water} water .",
        "{boats} lie in the {water} water next to {quay} .",
        "a {kind} with {piers} and {boats} .",
        "{quay} are near the {water} water of a {kind} .",
        "there {are} {piers} in the {kind} beside {quay} .",
        "{boats} are moored in the harbour with {quay} on the shore .",
    ),
    "stadium": (
        "a stadium with {seats} seats and {roof} is surrounded by {around} .",
        "the {seats} stands of the stadium are around a football pitch with {track} .",
        "a large stadium with {roof} is near {around} .",
        "there is a football pitch in a stadium with {seats} stands .",
        "{around} are around a big oval stadium with {seats} seats .",
        "the stadium has {seats} stands , {roof} and {track} .",
    ),
    "storage tanks": (
        "{tanks} {are} next to {near} .",
        "there {are} {tanks} in {rows} on {land} .",
        "{colour} round storage tanks are arranged in {rows} near {near} .",
        "{tanks} {are} surrounded by {land} .",
        "{number} cylindrical {colour} tanks can be seen near {land} .",
        "an oil depot with {tanks} is beside {near} .",
    ),
    "dense housing": (
        "many houses with {roof} roofs are arranged densely along {streets} .",
        "a dense residential area with {roof} roofs and {plants} .",
        "many {roof} roofed houses are close together with {plants} .",
        "{cross} go through a dense residential area with {roof} houses .",
        "lots of houses with {roof} roofs are on both sides of {streets} .",
        "it is a densely built neighbourhood of {roof} houses with {cross} .",
    ),
    "sparse housing": (
        "{houses} {are} near {road} with {pools} .",
        "there {are} {houses} surrounded by {around} .",
        "{number} with {roof} roofs {are} next to {road} .",
        "a sparse residential area with {number} , {pools} and {around} .",
        "{road} passes {houses} in {around} .",
        "in the sparse residential area there {are} {houses} and {pools} .",
    ),
    "circular fields": (
        "{fields} {are} on {land} with {track} .",
        "there {are} {fields} of {colour} and {second} crops .",
        "{colour} round irrigated farmland lies on {land} .",
        "{fields} with {colour} crops and {track} .",
        "a piece of {colour} circular farmland is surrounded by {land} .",
        "the centre pivot farmland is {colour} and {second} with {track} .",
    ),
    "rectangular fields": (
        "{fields} of {colour} and {second} crops with {road} .",
        "many pieces of {colour} and {second} farmland are together with {farm} .",
        "there {fare} {farm} and {road} among {colour} fields .",
        "a patchwork of {colour} and {second} rectangular fields with {hedge} .",
        "{road} and {farm} can be seen in the {colour} farmland .",
        "{colour} farmland with {hedge} and {road} .",
    ),
    "forest": (
        "a {density} forest of {trees} with {way} .",
        "many {trees} form a {density} forest and there is {way} .",
        "{way} can be seen in a {density} forest .",
        "it is a {density} piece of forest with {trees} .",
        "{trees} are {density} in the forest with {way} .",
        "there is {way} in the forest of {trees} .",
    ),
    "river with bridge": (
        "{bridges} {are} over a river with {water} water .",
        "{around} are on two sides of a {water} river with {bridges} over it .",
        "there {are} {bridges} across the {water} river with {boats} on it .",
        "{bridges} {are} on a river and {boats} {bare} in the water .",
        "a {water} river runs through {around} under {bridges} .",
        "the {water} river is crossed by {bridges} near {around} .",
    ),
    "lake": (
        "a lake with {water} water and {islands} is surrounded by {around} .",
        "{around} are around a {water} lake with {boats} .",
        "there {iare} {islands} in the {water} lake and {boats} on it .",
        "the lake has {water} water , {islands} and {path} .",
        "a {water} pond is near {around} with {path} .",
        "{boats} {bare} on the {water} lake near {around} .",
    ),
    "beach": (
        "a {sand} beach is between {water} sea and {behind} .",
        "white waves roll from the {water} sea to the {sand} sand beach .",
        "there {uare} {umbrellas} on the {sand} beach next to {behind} .",
        "{behind} is beside a {sand} beach with {water} water .",
        "the {water} ocean meets a {sand} beach with {umbrellas} on it .",
        "{sand} sand , white foam and {water} water at the coast near {behind} .",
    ),
    "parking lot": (
        "a parking lot {full} is next to {beside} .",
        "there are {rows} of stalls in a parking lot {full} .",
        "the parking lot with {rows} is {full} .",
        "{beside} is beside a parking lot that is {full} .",
        "a car park of {rows} , {full} , near {beside} .",
        "cars in {rows} stand in a parking lot next to {beside} .",
    ),
    "motorway interchange": (
        "a motorway interchange with {kind} is surrounded by {around} .",
        "there is {kind} where two motorways cross with {traffic} traffic .",
        "two motorways cross each other in {around} with {kind} .",
        "the viaduct has {kind} and {traffic} traffic .",
        "{around} is around an interchange with {kind} .",
        "a road junction on two levels with {kind} and {traffic} traffic .",
    ),
    "roundabout": (
        "{arms} meet at a roundabout with {middle} in the middle .",
        "a roundabout with {middle} in its centre is surrounded by {around} .",
        "there is a roundabout of {arms} near {around} .",
        "{around} are around a round road junction with {middle} .",
        "{arms} lead to the roundabout with {middle} .",
        "a traffic circle joins {arms} near {around} .",
    ),
    "solar farm": (
        "{blocks} of {colour} solar panels {are} surrounded by {around} .",
        "a solar farm with {blocks} of {colour} panels .",
        "many rows of {colour} solar panels are near {around} .",
        "there {are} {blocks} of {colour} solar panels in the photovoltaic power station .",
        "{colour} solar panels are arranged in {blocks} next to {around} .",
        "the photovoltaic panels are {colour} and stand in {blocks} .",
    ),
    "tennis courts": (
        "{courts} {are} next to {near} .",
        "there {are} {courts} surrounded by {around} .",
        "{number} with {colour} ground {are} near {near} .",
        "{around} is around {courts} .",
        "a sports ground with {courts} beside {near} .",
        "{courts} with white lines {are} near {around} and {near} .",
    ),
    "baseball diamond": (
        "{fields} with {infield} {are} next to {near} .",
        "there {are} {fields} surrounded by {ground} .",
        "{fields} {are} near {near} .",
        "{near} is beside {fields} with {infield} .",
        "{fields} with {infield} on {ground} .",
        "the baseball diamond has {infield} and there {are} {fields} in the picture .",
    ),
    "desert": (
        "{colour} {kind} in the desert with {shrubs} .",
        "{way} the {colour} desert with {kind} .",
        "a {colour} desert of {kind} where {way} the land .",
        "it is a {colour} desert with {kind} and {shrubs} .",
        "there are {shrubs} on the {colour} {kind} of the desert .",
        "{kind} cover the {colour} desert and {way} it .",
    ),
    "mountains": (
        "{rock} mountains with {cover} .",
        "the {rock} mountain ridges have {cover} .",
        "there is {cover} of {rock} mountains .",
        "a mountain range of {rock} rock with {cover} .",
        "many {rock} mountains with deep shadows and {cover} .",
        "{cover} can be seen in the {rock} mountains .",
    ),
    "warehouses": (
        "{halls} {are} next to {near} .",
        "there {are} {number} with {roof} roofs and {trucks} .",
        "an industrial area with {halls} and {trucks} .",
        "{trucks} can be seen beside {halls} .",
        "large industrial buildings with {roof} roofs are near {near} .",
        "{halls} {are} in an industrial zone with {trucks} and {near} .",
    ),
    "golf course": (
        "a golf course with {bunkers} and {ponds} .",
        "{bunkers} {bare} around a green of a golf course with {ponds} .",
        "there {bare} {bunkers} and {trees} on the golf course .",
        "fairways of a golf course with {trees} and {ponds} .",
        "the golf course has {ponds} and {bunkers} near {trees} .",
        "a golf green with {bunkers} is surrounded by {trees} .",
    ),
    "railway station": (
        "{trains} {are} at {platforms} of a railway station .",
        "a railway station with {platforms} and {building} .",
        "there {are} {trains} on the rails next to {building} .",
        "{platforms} and many rails with {trains} near {near} .",
        "{building} is beside the rails with {near} nearby .",
        "the railway station has {platforms} , {trains} and {building} .",
    ),
    "park": (
        "a park with {middle} in the middle and {beds} .",
        "{paths} lead to {middle} in a park with {trees} .",
        "there {bare} {beds} around {middle} in the park .",
        "{trees} and {paths} are in a park {near} .",
        "the park has {middle} , {paths} and {beds} .",
        "a park {near} with {trees} around {middle} .",
    ),
    "playground": (
        "a playground with a {colour} running track around a football field is next to {near} .",
        "there {care} {courts} beside a playground with a {colour} track .",
        "a {colour} running track surrounds a football field near {courts} .",
        "{around} is around a playground with a {colour} track and {courts} .",
        "the football field with a {colour} track is near {near} .",
        "{courts} and a football field with a {colour} track are near {near} .",
    ),
    "high rise": (
        "{number} with {roof} roofs are near {road} .",
        "many tall buildings with long shadows are around {road} .",
        "a city centre with {number} and {plants} .",
        "{road} runs between tall buildings with {roof} roofs and {plants} .",
        "there are {number} beside {road} in a commercial area .",
        "high buildings with {roof} roofs stand close together with {plants} .",
    ),
}  # fmt: skip
"""Sentence templates by category; every `{role}` is a key of the painter's facts."""


def compose_captions(
    category: str, facts: Facts, rng: np.random.Generator, count: int = 5
) -> list[str]:
    """Fill `count` different templates of the category, chosen at random."""
    templates = TEMPLATES[category]
    order = rng.permutation(len(templates))[:count]
    return [templates[int(k)].format_map(facts) for k in order]
