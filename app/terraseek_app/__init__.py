"""The Streamlit app: thin pages over the core."""
