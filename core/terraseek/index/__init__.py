"""Indexes over stored vectors: candidates first, exact scores afterwards."""
