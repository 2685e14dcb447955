"""The card: SQLite, one writer. Keeps what it is given and gives it back; knows no meaning."""
