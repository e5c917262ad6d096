"""ASGI middleware around all routes, Streamlit's included: who may ask, and how much."""
