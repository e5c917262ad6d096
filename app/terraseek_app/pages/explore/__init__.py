"""Explore page: search a catalogue and see the hits on a map."""
