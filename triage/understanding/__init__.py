"""What the machine makes of words: the organisation's words to look for, the texts' vectors, the models in use, and what they say of an item."""
