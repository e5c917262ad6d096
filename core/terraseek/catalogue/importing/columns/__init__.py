"""Cells and columns of tables: text, missing values, geometry."""
