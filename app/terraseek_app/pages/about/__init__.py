"""About page: the served catalogue and model, health checks, how to use own data, licences."""
