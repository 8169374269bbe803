"""`seamless-run`: run a command as a transformation, or hand it to the queue."""

from __future__ import annotations

import os
import sys

import click

from .bounds import COUNT, PRIORITY, SECONDS
from .entry import CONTEXT, debug_option, digest_option, durable_option, program, speaker, store_option, version_option
from .runoptions import RunOptions

EPILOG = """\b
Examples:
  seamless-run paste data/a.txt data/b.txt
  seamless-run -c 'sort -n data/c.txt > sorted.txt'
  seamless-run --qsubmit -c 'uniq -c sorted.txt > counts.txt'
  seamless-run -i config.ini -cp results/ ./simulate.sh
  seamless-run --qsubmit --batch commands.txt
"""


@click.command("seamless-run", context_settings={**CONTEXT, "allow_interspersed_args": False}, epilog=EPILOG)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("-c", "text", is_flag=True, help="COMMAND is shell text (so is a single word).")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-g1", "no_rule_1", is_flag=True, help="An argument with an extension need not exist as a file.")
@click.option("-g2", "no_rule_2", is_flag=True, help="An argument without extension may be a file.")
@click.option("-w", "--workdir", metavar="DIR", help="Name inputs relative to DIR instead of the current directory.")
@click.option("-W", "root", is_flag=True, help="Name inputs by their absolute paths (-w /).")
@click.option("-ms", "strip", is_flag=True, help="Name inputs by their base names.")
@click.option("-mx", "extension", is_flag=True, help="Name inputs file1.EXT, file2.EXT by order of appearance.")
@click.option(
    "-cp",
    "--capture",
    "captures",
    metavar="NAME[:LOCAL]",
    multiple=True,
    help="NAME, a file or directory that the command writes, is an output; :LOCAL alone: standard output.",
)
@click.option("-i", "--input", "inputs", metavar="PATH", multiple=True, help="PATH is an input, though no argument.")
@click.option(
    "-I",
    "--input-file",
    "input_lists",
    metavar="LIST",
    multiple=True,
    help="Every line of LIST names an input, relative to LIST.",
)
@click.option(
    "--var",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    help="A variable of the command; part of its identity.",
)
@click.option(
    "--metavar",
    "metavariables",
    metavar="NAME=VALUE",
    multiple=True,
    help="A variable of the command; not part of its identity.",
)
@click.option("--prologue", "prologues", metavar="TEXT", multiple=True, help="Shell text to run before the command.")
@click.option("--primary", type=int, default=1, metavar="N", help="The arguments of the N-th pipeline are typed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before many or large files are kept.")
@click.option("-n", "--no", is_flag=True, help="Do not ask either, but refuse.")
@click.option("-nd", "--no-download", is_flag=True, help="Write the sidecars of outputs, not the outputs.")
@click.option("--dry", "--dry-run", "dry", is_flag=True, help="Run nothing; print the identity.")
@click.option(
    "-j", "--write-job", "job_directory", metavar="DIR", help="With --dry: write a directory to run it by hand."
)
@click.option("--upload", is_flag=True, help="With --dry: put inputs and transformation into the store.")
@click.option("--scratch", is_flag=True, help="Do not keep the result: it is made again when it is needed.")
@click.option("--direct-print", is_flag=True, help="Show standard output while the command runs.")
@click.option(
    "--qsubmit", "--qsub", "qsubmit", is_flag=True, help="Hand the command to seamless-queue, return at once."
)
@click.option("--batch", metavar="FILE", help="With --qsubmit: every line of FILE (-: standard input) is a command.")
@click.option("--local", is_flag=True, help="Run here, whatever the configuration says (as is the default).")
@click.option("--notify", is_flag=True, help="Ring the bell, or show a notification, when the command has ended.")
@click.option("--stdin", is_flag=True, help="Standard input is an input of the command (else it is empty).")
@click.option("--project", metavar="NAME[:SUB]", help="Label of the request.")
@click.option("--stage", metavar="NAME[:SUB]", help="Label of the request.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Kill the command after so long.")
@click.option("--retries", type=COUNT, default=0, metavar="N", help="Run a failing command again.")
@click.option("--priority", type=PRIORITY, default=0, metavar="N", help="Higher is earlier [0].")
@click.option("--cpus", type=COUNT, metavar="N", help="Processors that the command uses [1].")
@click.option("--memory", metavar="SIZE", help="Memory that the command needs, such as 500M or 4GiB.")
@click.option("--gpus", type=COUNT, metavar="N", help="GPUs that the command gets to itself.")
@click.option(
    "--slot", "slots", metavar="NAME[=N]", multiple=True, help="Slots that the command needs, such as license=1."
)
@click.option("--refresh", is_flag=True, help="Run again although the result is known; say if it differs.")
@click.option("--explain", is_flag=True, help="Say first whether it will be run, and why (with --dry: only that).")
@click.option("--conda", metavar="ENV", help="Run it in this conda environment (name or path).")
@store_option
@digest_option
@durable_option
@debug_option
@version_option
def command(**given: object) -> int:
    """Run COMMAND once: the same command on the same inputs is answered from the store.

    Words that name files are inputs, by content. Several words are taken literally; a single one, or
    -c, is shell text. Files that the last command redirects to are outputs.
    """
    options = RunOptions(**given)  # type: ignore[arg-type]
    options.check()
    if options.batch is not None:
        from .batch import submit_batch

        return submit_batch(options)
    if not options.command or not "".join(options.command).strip():
        raise click.UsageError("no command: say what to run, such as seamless-run sort data.txt")
    _warn_of_options_behind(options)
    from .running import run

    if not options.notify:
        return run(options)
    from .running import run_and_notify

    return run_and_notify(options)


def _warn_of_options_behind(options: RunOptions) -> None:
    """What stands behind the text of -c is part of it, also where it looks as if it were meant for us."""
    if not options.text or len(options.command) == 1:
        return
    word = options.command[1].partition("=")[0]
    context = click.get_current_context()
    if word.startswith("-") and any(word in parameter.opts for parameter in context.command.get_params(context)):
        speaker("seamless-run", options.quiet)(
            f"warning: {word} stands behind the text of -c and is part of it; options come before the text"
        )


main = program(command, "seamless-run")

if __name__ == "__main__":
    sys.argv[0] = os.path.basename(sys.argv[0])
    main()
