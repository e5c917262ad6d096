"""The server: settings, shared state, uploads, start."""
