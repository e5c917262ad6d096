"""From checkpoints to shipped weights: soups, ensembles, hubness correction, model cards."""
