"""Metadata of items: dates, places, labels and the facts that RS5M's captions state."""
