"""Map tiles and previews of scenes and heat maps; tiles of item density and the offline basemap."""

from terraseek.tiles.scene_tiles import TILE_SIDE, heat_tile, scene_preview, scene_tile

__all__ = ["TILE_SIDE", "heat_tile", "scene_preview", "scene_tile"]
