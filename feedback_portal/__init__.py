"""The ground the three apps stand on."""
