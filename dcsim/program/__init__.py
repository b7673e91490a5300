"""A scenario made ready once: its strategies, hazards and places as tables, and the draws of its runs."""
