"""TerraSeek: search remote-sensing imagery with words, and see where a sentence is true.

Importing this package loads neither torch nor GDAL; each subpackage does so when it is used.
"""

__all__ = ["__version__"]
__version__ = "0.1.0"
