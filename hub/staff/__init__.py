"""Who works here, and what each may do on the staff page."""
