"""The commands: one module each, that parses, calls one function and prints."""
