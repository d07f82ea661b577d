"""What programs may ask this floor."""
