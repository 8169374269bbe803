"""The face of Seamless Queue; it forwards lazily, because every submodule import runs it."""
