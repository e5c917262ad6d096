"""A figure of a heat map for print: map, legend, scale bar, north arrow, title."""
