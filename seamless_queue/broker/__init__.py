"""Every operation on jobs and requests, in SQL through the bare driver, and nothing else."""
