"""Evaluation: rates with their intervals, comparisons of two models, and the final report of a run."""
