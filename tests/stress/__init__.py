"""Long runs under abuse; `make stress`."""
