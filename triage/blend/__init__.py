"""What is learned from people's corrections, blended with what the taxonomy says by itself."""


class Blend:
    """A learned model of one field."""
