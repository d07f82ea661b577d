"""What says the same: near copies, likely duplicates, and groups of items. Pure; nothing here reads or writes a row."""
