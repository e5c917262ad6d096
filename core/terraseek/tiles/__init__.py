"""Tiles and previews of scenes and heat maps, and the tiles of the offline basemap."""

from terraseek.tiles.scene_tiles import TILE_SIDE, heat_tile, scene_preview, scene_tile

__all__ = ["TILE_SIDE", "heat_tile", "scene_preview", "scene_tile"]
