"""SQL queries and the same in Ibis: from templates, by composition and from files, each pair executed."""
