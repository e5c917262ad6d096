"""About page: catalogue, model, health and terms."""
