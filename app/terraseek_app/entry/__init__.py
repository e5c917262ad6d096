"""The script that Streamlit runs, in a folder of its own.

Beside a folder `pages`, Streamlit would use its older multipage layout, and answer the first
request of a fresh server to `/localize` with a plain run of `pages/localize.py`.
"""
