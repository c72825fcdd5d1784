"""How well the service speaks: what a recogniser understands, what listeners would say, what the controls do."""
