"""Mutation testing of core and policies: change one thing in a module, and see whether a test notices.

operators  the changes
selection  which tests reach which lines, quickest first
running    one process a mutant, made by fork, so that nothing on disk is ever changed
__main__   the command: `python -m tools.mutants policies/retry core`

Needs a system with `fork`. Run by hand (`make mutants`); no check waits for it.
"""
