"""What people are shown first: who needs somebody, what is due, what is handed over. Pure."""
