"""Reads the bytecode of CPython, in each of its versions: for the tests that take straight sections apart."""

import dis
from collections.abc import Iterable, Iterator

SWITCHING = ("CALL", "PRECALL", "RESUME", "JUMP_BACKWARD", "SEND", "YIELD", "FOR_ITER", "BEFORE_WITH", "IMPORT")
"""How the names of instructions begin at which CPython may let another thread in, or run code of somebody's own."""


def lined(instructions: Iterable[dis.Instruction]) -> Iterator[tuple[int, dis.Instruction]]:
    """Yield every instruction with its line; one that has none of its own has that of the one before."""
    line = 0
    for instruction in instructions:
        positions = instruction.positions  # the one place of the line that means the same in every version
        line = (positions and positions.lineno) or line
        yield line, instruction
