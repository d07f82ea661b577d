"""Learning from people: their corrections, the models trained from them, who takes whose place, and the blind audits that judge both."""
