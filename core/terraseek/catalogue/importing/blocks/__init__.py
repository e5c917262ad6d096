"""Rows of tables that become items without images: read, joined and made by column."""
