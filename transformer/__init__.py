"""Gives bytes meaning: identity, command lines, execution and delivery."""
