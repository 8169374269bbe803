"""What can be wrong with Python code, its arguments and its modules.

SeamlessError
└── PythonError
    ├── NotAFunction          TypeError
    ├── SourceUnavailable     TypeError
    │   └── SourceChanged
    ├── BadCode               SyntaxError
    ├── NotAModule            TypeError
    ├── NotAConstant          TypeError
    └── NotRunnable           RuntimeError: raised where the code runs, all others where it is declared
"""

from __future__ import annotations

from seamless_queue.errors import SeamlessError


class PythonError(SeamlessError):
    """This Python code cannot become a transformation."""


class NotAFunction(PythonError, TypeError):
    """Only a plain Python function can become a transformation."""


class SourceUnavailable(PythonError, TypeError):
    """The source text of the function cannot be found."""


class SourceChanged(SourceUnavailable):
    """The source file was edited after the function was imported."""


class BadCode(PythonError, SyntaxError):
    """The code is not valid Python."""


class NotAModule(PythonError, TypeError):
    """Only a module written in Python, or its definition, can be given to a transformation."""


class NotAConstant(PythonError, TypeError):
    """The value of a global cannot be written as Python code."""


class NotRunnable(PythonError, RuntimeError):
    """The code has no value that could be a result."""
