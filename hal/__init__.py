"""One seam per hardware thing, and its real drivers."""
