"""The pages, one package each; a page owns its session state, its link and its panels."""
