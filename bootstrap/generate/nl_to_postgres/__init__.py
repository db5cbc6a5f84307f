"""Questions in words and PostgreSQL that answers them, over a masked copy of any database."""
