"""A whole portal on one machine: its own PostgreSQL and Valkey, and every process around them."""
