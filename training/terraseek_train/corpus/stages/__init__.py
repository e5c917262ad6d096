"""Stages of a corpus recipe, one file each; the registry names them."""
