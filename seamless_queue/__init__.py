"""Moves bytes: job table, claims, leases, buffers, workers, server, watchers and sidecars."""
