"""The web application: Streamlit pages, map tiles and an HTTP API over the core library."""
