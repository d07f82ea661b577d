"""Deciding: what people do with tickets at their desks, one by one and many at once."""
