"""The layout of Explore: one map with panels over it."""
