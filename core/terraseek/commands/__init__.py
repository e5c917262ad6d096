"""Commands of `terraseek`; every module has `register(app)`, which adds its commands."""
