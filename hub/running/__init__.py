"""That the process gets on: progress, restarts, patience, memory, the log, room on the card."""
