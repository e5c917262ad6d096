"""Template sentences for images that only have a class label.

Labels of two sources with the same meaning share a concept ("industry" and "industrial_area"), so
that neither is a negative for the other. The synonyms of the Delhi labels follow the definitions
in the ESA WorldCover product manual (cropland is *annual* cropland; grassland is natural
herbaceous vegetation, including pastures).
"""

__all__ = ["CONCEPTS", "concept_of", "concept_texts"]

CONCEPTS: dict[str, tuple[str, ...]] = {
    "airport": ("an airport", "an airport with planes", "airport runways and terminals"),
    "bareland": ("bare land", "bare soil", "barren ground"),
    "baseballfield": ("a baseball field", "a baseball diamond", "baseball fields"),
    "beach": ("a beach", "a sandy beach by the sea", "a coast with sand and waves"),
    "bridge": ("a bridge", "a bridge over water", "a road bridge across a river"),
    "center": ("a city center", "a large center building", "a civic center"),
    "church": ("a church", "a cathedral", "a church among houses"),
    "commercial": ("a commercial area", "a shopping district", "commercial buildings"),
    "denseresidential": (
        "a dense residential area",
        "dense residential buildings",
        "a crowded neighbourhood of houses",
        "a residential area",
    ),
    "desert": ("a desert", "sand dunes", "a dry sandy desert"),
    "farmland": (
        "farmland",
        "cropland",
        "cultivated fields",
        "agricultural land",
        "arable land with crops",
    ),
    "forest": ("a forest", "dense woodland", "trees covering the ground", "a wood"),
    "industrial": (
        "an industrial area",
        "industrial buildings",
        "factories and warehouses",
        "an industrial zone",
    ),
    "meadow": ("a meadow", "grassland", "a pasture", "green grass"),
    "mediumresidential": (
        "a medium residential area",
        "a suburb with houses and gardens",
        "a residential area",
    ),
    "mountain": ("mountains", "a mountain range", "rugged mountain ridges"),
    "park": ("a park", "a city park with trees and paths", "a public garden"),
    "parking": ("a parking lot", "a car park", "many parked cars"),
    "playground": ("a playground", "a sports ground with a running track", "a football field"),
    "pond": ("a pond", "a small lake", "a body of still water"),
    "port": ("a port", "a harbour with boats", "a harbor", "docks with ships"),
    "railwaystation": ("a railway station", "a train station", "railway tracks and platforms"),
    "resort": ("a resort", "a holiday resort with pools", "a hotel complex"),
    "river": ("a river", "a winding river", "a river running through the land"),
    "school": ("a school", "a campus", "school buildings with a sports field"),
    "sparseresidential": (
        "a sparse residential area",
        "scattered houses",
        "a few houses among trees",
        "a residential area",
    ),
    "square": ("a square", "a city square", "a plaza"),
    "stadium": ("a stadium", "a large sports stadium", "an arena"),
    "storagetanks": ("storage tanks", "oil tanks", "round white tanks"),
    "viaduct": (
        "a viaduct",
        "a highway interchange",
        "an overpass",
        "elevated roads",
        "a highway",
        "a motorway",
    ),
    "residential": ("a residential area", "housing", "residential buildings", "houses and streets"),
    "waterbody": ("a river or lake", "water", "a body of water"),
    "lake": ("a lake", "open water", "a water body", "the sea", "the sea or a lake"),
    "island": ("an island", "an island surrounded by sea", "land surrounded by water"),
    "wetland": ("a wetland", "a marsh", "swampy ground with water"),
    "builtup": (
        "a built-up area",
        "urban area seen from Sentinel-2",
        "buildings and roads",
        "an urban area at ten metres per pixel",
    ),
    "annualcrop": ("annual crops", "annual cropland", "cropland", "farmland", "arable land"),
    "permanentcrop": (
        "permanent crops",
        "permanent crop land",
        "orchards and vineyards",
        "small plots of vineyards",
        "olive groves and fruit trees in rows",
    ),
    "pasture": ("pasture land", "a pasture", "green grazing land", "meadows with hedges"),
    "herbaceous": (
        "herbaceous vegetation",
        "natural grassland",
        "dry grass and scattered shrubs",
        "open land with herbs and bushes",
    ),
    "highway": ("a highway", "a motorway", "a main road", "a road crossing the land"),
    "grassland": (
        "grassland",
        "herbaceous vegetation",
        "natural grass cover",
        "pasture and grassland",
    ),
    "shrubland": ("shrubland", "brushland", "bushes and shrubs", "scrub"),
    "treecover": ("tree cover", "a forest", "trees", "woodland"),
    "sparse": ("bare ground with sparse vegetation", "bare soil"),
    "damaged": (
        "a building damaged by flooding",
        "a flooded house after a hurricane",
        "flood damage to a building",
        "a damaged building in flood water",
    ),
    "undamaged": (
        "an undamaged building",
        "an intact house",
        "a house without damage",
        "a building that was not flooded",
    ),
}
"""Noun phrases of each concept."""

_CONCEPT_OF_LABEL = {
    "grass": "meadow",
    "industry": "industrial",
    "river_lake": "waterbody",
    "commercial_area": "commercial",
    "industrial_area": "industrial",
    "built-up": "builtup",
    "cropland": "annualcrop",
    "annual crop": "annualcrop",
    "permanent crop": "permanentcrop",
    "herbaceous vegetation": "herbaceous",
    "tree cover": "treecover",
    "herbaceous wetland": "wetland",
    "permanent water bodies": "waterbody",
    "bare / sparse vegetation": "sparse",
    "a satellite image of a building damaged by flooding": "damaged",
    "a satellite image of an undamaged building": "undamaged",
}
_TEMPLATES = (
    "{}",
    "{} .",
    "a satellite image of {}",
    "an aerial photo of {}",
    "a remote sensing image of {}",
    "an aerial image showing {}",
    "{} seen from above",
    "a satellite photo of {} .",
    "this is {} .",
    "there is {} in the picture",
    "a low resolution satellite image of {}",
    "overhead view of {}",
)


def concept_of(label: str | None) -> str | None:
    """Look up the concept of a source's label; None if there are no phrases for it."""
    if label is None:
        return None
    plain = label.strip().lower()
    plain = _CONCEPT_OF_LABEL.get(plain, plain)
    return plain if plain in CONCEPTS else None


def concept_texts(concept: str) -> list[str]:
    """Make all template sentences of a concept, in a fixed order."""
    return [template.format(phrase) for phrase in CONCEPTS[concept] for template in _TEMPLATES]
