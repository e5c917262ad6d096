"""The choice of a scene by its picture."""
