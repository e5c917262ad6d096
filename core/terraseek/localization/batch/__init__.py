"""Many sentences in many scenes: a ranked table, heat maps, a contact sheet and a report."""
