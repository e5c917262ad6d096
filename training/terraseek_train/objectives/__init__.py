"""What `terraseek train` minimises: one model with its loss per method."""
