"""Reading, writing and feeding pictures."""
