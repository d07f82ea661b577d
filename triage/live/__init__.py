"""Live: what open pages are told at once, and who is at which ticket."""
