"""The script the server runs, in a folder of its own.

Streamlit takes a folder `pages` beside the main script for its old multipage layout, and answers
the first visit of a fresh server at `/localize` with the bare file `pages/localize.py`.
"""
