"""Download of images by address: polite, bounded, and never from private addresses."""
