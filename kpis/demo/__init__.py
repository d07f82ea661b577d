"""A believable organisation to try the portal with: Halden Coffee, who make coffee machines and do not exist."""
