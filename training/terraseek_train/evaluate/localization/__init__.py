"""Evaluation of localization: SeLo measures, detection measures, studies."""
