"""How to use one's own data, with the exact commands."""

__all__ = ["OWN_DATA"]

OWN_DATA = """
**Import, embed, serve.** A catalogue is a folder; your files are read in place and never copied.

```
terraseek import pictures/ --out my-catalogue              # folder of pictures or GeoTIFFs
terraseek import items.csv --out my-catalogue              # table: filename, lon, lat, caption
terraseek import "rs5m-{0000..0031}.tar" --geometa coordinates.csv --out my-catalogue
terraseek embed my-catalogue
terraseek serve my-catalogue --scenes folder-of-large-scenes
```
"""
"""Markdown."""
