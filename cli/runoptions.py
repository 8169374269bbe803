"""The options of `seamless-run`, checked, and what is made of them."""

from __future__ import annotations

import os
from typing import NamedTuple

import click

from seamless.transformer.commandline import CommandPlan, Mapping, PlanOptions, plan_text, plan_words
from seamless.transformer.commandline.model import Files
from seamless_queue import settings


class RunOptions(NamedTuple):
    """The command line of `seamless-run`."""

    command: tuple[str, ...]
    text: bool
    verbose: bool
    quiet: bool
    no_rule_1: bool
    no_rule_2: bool
    workdir: str | None
    root: bool
    strip: bool
    extension: bool
    captures: tuple[str, ...]
    inputs: tuple[str, ...]
    input_lists: tuple[str, ...]
    variables: tuple[str, ...]
    metavariables: tuple[str, ...]
    prologues: tuple[str, ...]
    primary: int
    yes: bool
    no: bool
    no_download: bool
    dry: bool
    job_directory: str | None
    upload: bool
    scratch: bool
    direct_print: bool
    qsubmit: bool
    batch: str | None
    local: bool
    notify: bool
    stdin: bool
    project: str | None
    stage: str | None
    timeout: float | None
    retries: int
    priority: int
    refresh: bool
    explain: bool
    conda: str | None
    cpus: int | None
    memory: str | None
    gpus: int | None
    slots: tuple[str, ...]
    store: str | None
    digest: str | None
    durable: bool

    def check(self) -> None:
        """UsageError for options that contradict each other."""
        for one, other in (
            ("qsubmit", "dry"),
            ("qsubmit", "local"),
            ("qsubmit", "notify"),
            ("strip", "extension"),
            ("yes", "no"),
            ("workdir", "root"),
            ("batch", "stdin"),
            ("batch", "explain"),
        ):
            if getattr(self, one) and getattr(self, other):
                raise click.UsageError(f"{_option(one)} and {_option(other)} cannot be used together")
        for option in ("job_directory", "upload"):
            if getattr(self, option) and not self.dry:
                raise click.UsageError(f"{_option(option)} goes with --dry-run")
        if self.batch is not None and not self.qsubmit:
            raise click.UsageError("--batch goes with --qsubmit")
        if self.batch is not None and self.command:
            raise click.UsageError("--batch takes its commands from a file: leave out the command")

    def settings(self) -> settings.Settings:
        """The store that is meant."""
        return settings.load(self.store, self.digest, durable=self.durable)

    def plan_options(self, directory: str) -> PlanOptions:
        """What planning needs to know."""
        workdir = "/" if self.root else os.path.abspath(self.workdir or directory)
        mapping = Mapping.STRIP if self.strip else Mapping.EXTENSION if self.extension else Mapping.LITERAL
        return PlanOptions(
            directory=directory,
            workdir=workdir,
            mapping=mapping,
            guess_extension=not self.no_rule_1,
            guess_no_extension=not self.no_rule_2,
            captures=self.captures,
            inputs=self.inputs,
            input_lists=self.input_lists,
            variables=self.variables,
            metavariables=self.metavariables,
            prologues=self.prologues,
            primary=self.primary,
        )

    def plan(self, directory: str, files: Files) -> CommandPlan:
        """The plan of the command."""
        options = self.plan_options(directory)
        if self.text:
            return plan_text(" ".join(self.command), options, files, check=bash_accepts)
        return plan_words(self.command, options, files, check=bash_accepts)

    @property
    def resources(self) -> str | None:
        """What the command needs of a server, as the queue keeps it; None for nothing in particular."""
        if self.cpus is None and self.memory is None and not self.gpus and not self.slots:
            return None
        from seamless_queue.broker.resources import encode

        from .resourceoptions import amounts

        return encode(amounts(self.cpus, self.memory, self.gpus, self.slots))

    @property
    def conda_environment(self) -> str | None:
        """The conda environment that is meant: a name, or an absolute path."""
        if self.conda is None:
            return None
        from seamless.transformer.conda import named

        return named(self.conda)

    @property
    def label(self) -> str:
        """The command, for people."""
        return " ".join(self.command)


def _option(name: str) -> str:
    short = {
        "workdir": "-w",
        "root": "-W",
        "strip": "-ms",
        "extension": "-mx",
        "yes": "-y",
        "no": "-n",
        "job_directory": "-j",
    }
    return short.get(name, f"--{name.replace('_', '-')}")


def bash_accepts(text: str) -> bool:
    """Whether bash can parse this text; asked where our parser cannot."""
    from seamless_queue.processes import exit_status

    return exit_status(["bash", "-n", "-c", text]) == 0
