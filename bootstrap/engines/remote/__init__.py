"""What the engines behind a server share: requests kept and counted, retries, budget, batches."""
