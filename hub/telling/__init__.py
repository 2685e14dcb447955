"""What the ICS is told, made from what the store keeps: events, summaries, status."""
