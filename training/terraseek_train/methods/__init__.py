"""Training methods of published papers, as modules and losses."""
