"""The query of Explore: its parts, their weights and their chips."""
