"""Batch of sentences and scenes on the Localize page."""
