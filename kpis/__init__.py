"""What was measured: numbers that can be thrown away and computed again to the same digits."""
