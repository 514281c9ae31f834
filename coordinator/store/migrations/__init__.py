"""The schema's versions, applied in order when the coordinator starts."""
