"""The desk: what people do with many tickets at once, and how they arrange their own work."""
