"""Networks of encoders: construction, checkpoints, ensembles, hubness correction."""
