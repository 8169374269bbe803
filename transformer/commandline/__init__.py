"""From the words of a shell command to a plan: its inputs, its outputs and its text."""
