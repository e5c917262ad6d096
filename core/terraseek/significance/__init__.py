"""Significance: are hits of a search, or windows of a scene, what the sentence describes?"""
