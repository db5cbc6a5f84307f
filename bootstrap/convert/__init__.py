"""Conversion of queries by rules: SQL to another dialect of SQL, SQL to Ibis and to Polars.

Rules propose; an interpreter decides. Every route returns attempts in order of preference, and none counts before it
gave the right rows on every data set of its problem.
"""
