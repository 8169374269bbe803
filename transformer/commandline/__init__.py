"""From the words of a shell command to a plan: its inputs, its outputs and its text."""

from .errors import ArgumentError, CaptureError, MappingError, ShellSyntaxError, UsageError, VariableError
from .model import Capture, CommandPlan, Files, Input, Kind, Mapping, PlanOptions, SyntaxCheck
from .planner import plan_text, plan_words

__all__ = [
    "ArgumentError",
    "Capture",
    "CaptureError",
    "CommandPlan",
    "Files",
    "Input",
    "Kind",
    "Mapping",
    "MappingError",
    "PlanOptions",
    "ShellSyntaxError",
    "SyntaxCheck",
    "UsageError",
    "VariableError",
    "plan_text",
    "plan_words",
]
