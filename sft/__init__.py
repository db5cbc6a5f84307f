"""Supervised fine-tuning: `run_sft.py`, one TRL program that imports nothing else of this repository."""
