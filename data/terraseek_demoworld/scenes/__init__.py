"""Three large georeferenced scenes, drawn with the painters' objects, with their ground truth."""
