"""Parts of published networks that open_clip does not build."""
