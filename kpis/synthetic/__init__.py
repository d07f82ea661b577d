"""Feedback in any amount for measurements: its words mean nothing, its numbers, ties and statuses are lifelike."""
