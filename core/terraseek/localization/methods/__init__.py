"""Localization methods, one file each behind the interface in `base`; listed in `registry`."""
