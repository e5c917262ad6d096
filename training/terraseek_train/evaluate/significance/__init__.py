"""Benchmark of significance: sentences that are present, absent, absurd, foreign or empty."""
