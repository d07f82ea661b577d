"""The pages on which administrators set the portal up; each saves through `triage.organisation`."""
