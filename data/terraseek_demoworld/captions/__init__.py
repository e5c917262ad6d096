"""Captions: phrases about what a painter drew, and the sentences that use them."""
