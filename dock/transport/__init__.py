"""How files travel: create, offset, append, complete."""
