"""Pickled pandas tables, read as data: opcodes, arrays, and the frame that is built from them."""
