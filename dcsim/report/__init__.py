"""Reports: what a result says (page, formula, simulated), then how a medium shows it (terminal)."""
