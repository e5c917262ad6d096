"""Runs the frame of the app; see the package for why it is not beside the pages."""

from terraseek_app.streamlit_app import main

main()
