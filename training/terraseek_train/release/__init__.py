"""From checkpoints to shipped weights: soup, ensemble, hubness correction, card."""
