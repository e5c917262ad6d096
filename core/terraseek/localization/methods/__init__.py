"""Localization methods: windows, dense, SeLo v1 and v2."""
