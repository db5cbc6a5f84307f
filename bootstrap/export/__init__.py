"""Finished problems as files for others: folders, chat rows, a data set for a hub. `python -m bootstrap.export`."""
