"""HTTP API and tiles: Starlette routes and their OpenAPI description."""
