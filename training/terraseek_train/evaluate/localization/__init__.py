"""Semantic localization measured on annotated scenes: SeLo's measures, studies, detection."""
