"""What programs may read and decide; each endpoint is one call of a use case that pages call too."""
