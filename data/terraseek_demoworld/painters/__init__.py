"""Painters: one function per category of chips, and the objects that several of them draw.

A painter draws on a `Canvas` and returns the `Facts` for captions. Objects are drawn in the local
metres of a `Frame`.
"""
