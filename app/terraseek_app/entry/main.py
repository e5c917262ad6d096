"""Run the app's Streamlit script; the package docstring explains the separate folder."""

from terraseek_app.streamlit_app import main

main()
