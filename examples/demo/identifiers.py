"""Prints the identifiers of a Python file, one a line, as often as they occur."""

import keyword
import sys
import tokenize

with open(sys.argv[1], "rb") as file:
    for token in tokenize.tokenize(file.readline):
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            print(token.string)
