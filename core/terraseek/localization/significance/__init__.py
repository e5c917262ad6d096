"""Significance of a heat map: how its best score compares with unrelated sentences."""
