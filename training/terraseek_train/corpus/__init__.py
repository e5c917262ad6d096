"""Build a corpus of captioned images from web captions and archives, by a recipe of stages."""
