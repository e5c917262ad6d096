"""Place and time of items: metadata of sources, country, UTM zone, season, place names."""
