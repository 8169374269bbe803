"""The commands as their users meet them: real processes, real signals, a fresh home for every test."""
