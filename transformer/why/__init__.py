"""Answers from the past: why something ran, why it did not, why it waits, why it failed.

a word, a path, a command ──subjects──▶ request, job, file or plan
                          ──answers───▶ verdict and reasons        (nearest, differences, surroundings)
                          ──words─────▶ lines for people
"""
