"""The command line, one module a room; each has `register(app)`."""
