"""Which evaluation sets a corpus is checked against."""
