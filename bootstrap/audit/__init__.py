"""The audit of the verifier: mutants of right answers must fail, and data sets are added where they do not."""
