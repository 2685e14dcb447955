"""Who lives here, and what is known of them: from the configuration and as entered."""
