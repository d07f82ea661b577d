"""Models outside that may be asked about items, where an administrator wants that: after everything the portal knows by itself,
never instead of it."""
