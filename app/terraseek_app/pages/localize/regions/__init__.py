"""Regions of the heat maps shown: comparison of sentences, table, crops."""
