"""Tools of all painters: canvas, shapes, colours, noise, trees, light."""
