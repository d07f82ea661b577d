"""Improvements in Plan-Do-Check-Act: what is changed because of feedback, and what came of it."""
