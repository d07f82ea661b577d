"""Pages of intake, one module a subject."""
