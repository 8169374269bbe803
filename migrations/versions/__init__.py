"""One module per schema version; a version imports nothing of ours."""
