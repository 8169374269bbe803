"""Python source and namespaces: what text a function is, how it is called, what it sees while it runs.

Nothing here knows stores or checksums. Nothing is imported by the package itself: whoever only wraps
a function does not pay for running one.
"""
