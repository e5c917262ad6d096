"""Detector of overhead imagery: tells it from photographs of the ground, graphics and text."""
