"""The report of `seamless-status --html`: one page that says what ran when, on what, and what came of it.

gathering   reads the store ──▶ tasks: a job, or a request that has none, with all that belongs to it
lanes       which row of the timeline an execution is drawn in
graph       which task read what another one made; the critical path
figures     times, hits, efficiency: the numbers at the top
logs        what the executions wrote, within bounds
columns     all of that as compact arrays
page        template, style, script and arrays in one page
"""
