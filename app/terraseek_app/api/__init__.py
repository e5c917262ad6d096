"""The HTTP routes: search, localization, catalogue, map tiles, and the API's description."""
