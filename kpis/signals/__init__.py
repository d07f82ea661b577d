"""Early warning: which series are watched, which of them left their limits, and what people make of it."""
