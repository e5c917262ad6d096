"""Studies: training methods compared on the same base, data and seeds."""
