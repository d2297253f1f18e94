"""Files by tenant what is listed by block: a piece at a time, in the writer's thread, between groups.

New entries, and new rows with a facet, are in the lists of their blocks (see schema/0005_filing.sql). When there are
many such blocks, a pass files what is in all of them, some tenants at a time, so that what is written for one tenant is
written for many of its entries. A pass that was cut short begins anew: what is filed already stays, and counts once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from switchgear.storage.sqlite.decoding import damaged, integer
from switchgear.storage.sqlite.names import facets_of
from switchgear.storage.sqlite.statements import aggregated, as_json, first_row, statements

BLOCKS_MAX = 256
"""So many blocks that are not filed begin a pass. A read of one tenant looks into each."""

PIECE_MAX = 4_096
"""Most entries, and most rows, that are filed in one transaction, during which appends wait."""

GROUPS_BETWEEN = 8
"""Groups of appends between two pieces; none while far more is not filed than begins a pass."""

_GROUPS_WITHOUT_LOOKING = 64
"""Groups between two looks whether a pass is due. So many make some dozen blocks at most."""

_WAIT_DOUBLINGS = 10
"""How often the wait after a failure doubles, while one follows the other."""

_BLOCKS_AT_ONCE = 4
"""Blocks of a piece when a single tenant has more than a piece; a block has 1,024 entries or rows."""

_WIDTH_MAX = 65_536
"""Most tenants of a piece, which are counted to find the last of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is filed alike. `bottom` is not above any tenant of it, `top` above every one."""

    name: str
    bottom: int | str
    top: int | bytes


PARTS = (Part("entries", 0, 2**63 - 1), Part("rows", "", b""))
"""Entries know their tenant by number, rows by name; every text is below a blob."""


class Filing:
    """Decides when something is filed, and files it. Only the writer's thread calls it."""

    def __init__(self, blocks_max: int = BLOCKS_MAX, piece_max: int = PIECE_MAX) -> None:
        """File what is in more than `blocks_max` blocks, up to `piece_max` at once."""
        self._passes = [_Pass(part, blocks_max, piece_max) for part in PARTS]
        self._groups_left = GROUPS_BETWEEN
        self._failures = 0

    def has_fallen_behind(self, connection: sqlite3.Connection) -> bool:
        """Whether processes that ended too soon have left so much that pieces are no match. Raises `sqlite3.Error`."""
        return any(one.is_due(connection) and one.is_behind for one in self._passes)

    def is_due(self, connection: sqlite3.Connection) -> bool:
        """Whether it is time for a piece. To be asked once after each group. Raises `sqlite3.Error`."""
        self._groups_left -= 1
        if self._groups_left > 0:
            return False
        self._groups_left = _GROUPS_WITHOUT_LOOKING
        due = [one for one in self._passes if one.is_due(connection)]
        if due:
            self._groups_left = 1 if any(one.is_behind for one in due) else GROUPS_BETWEEN
        return bool(due)

    def file(self, connection: sqlite3.Connection) -> None:
        """File a piece of each part that is due, in the open transaction.

        Raises `sqlite3.Error`; the transaction is to be rolled back then. `succeeded` or `failed` is to be called.
        """
        for one in self._passes:
            if one.is_due(connection):
                one.file(connection)

    def succeeded(self) -> None:
        """Know that a piece was committed."""
        self._failures = 0

    def failed(self) -> None:
        """Forget how far the passes are, and try again after a while: a longer one each time that it fails again."""
        self._groups_left = _GROUPS_WITHOUT_LOOKING << min(self._failures, _WAIT_DOUBLINGS)
        self._failures += 1
        for one in self._passes:
            one.begin_anew()


class _Pass:
    """One pass after another over a part. It goes from tenant to tenant, by `width` of them, over all blocks at once.

    A single tenant with more than a piece is filed some blocks at a time.
    """

    def __init__(self, part: Part, blocks_max: int, piece_max: int) -> None:
        self._part = part
        self._blocks_max = blocks_max
        self._piece_max = piece_max
        self._first = self._goal = self._last = 0
        self._width = 1
        self.begin_anew()

    @property
    def is_behind(self) -> bool:
        """Whether far more is to be filed than begins a pass."""
        return self._last - self._first > 2 * self._blocks_max

    def begin_anew(self) -> None:
        """Begin the next pass at the first tenant."""
        self._begin: int | str = self._part.bottom
        self._block = 0
        self._lists = ""

    def is_due(self, connection: sqlite3.Connection) -> bool:
        """Look whether a pass is under way, or is to begin."""
        found = aggregated(connection, "blocks", (self._part.name,))
        self._first, self._goal, self._last = (integer(block, "blocks", -1) for block in found)
        return self._goal >= self._first or self._last - self._first >= self._blocks_max

    def file(self, connection: sqlite3.Connection) -> None:
        """File the next piece of the pass that is due; the first one begins it."""
        if self._goal < self._first:
            self.begin_anew()
            self._goal = self._last - 1  # the last block still grows
            begun = {"part": self._part.name, "first": self._first, "goal": self._goal}
            connection.execute(statements()["begin_filing"], begun)
        self._lists = self._lists or _lists(connection)
        self._block = max(self._block, self._first)
        self._file_piece(connection, self._goal)

    def _file_piece(self, connection: sqlite3.Connection, goal: int) -> None:
        """File the next tenants in all blocks up to `goal`; or the next one in some of them, when it has too much."""
        end, weight = self._weighed(connection, goal)
        piece = self._piece(end, goal)
        if weight <= self._piece_max:
            self._execute(connection, "file", piece)
            if weight <= self._piece_max // 2:
                self._width = min(_WIDTH_MAX, self._width * 2)
            self._go_on(connection, end)
            return
        through = min(goal, self._block + _BLOCKS_AT_ONCE - 1)
        self._execute(connection, "file", {**piece, "to": through})
        self._block = through + 1
        if through == goal:
            self._go_on(connection, end)

    def _weighed(self, connection: sqlite3.Connection, goal: int) -> tuple[int | str | None, int]:
        """Return the tenant behind the next piece, or None for all that are left, and how much that is.

        As many tenants as make a piece at most, if more than one of them is left.
        """
        while True:
            end = self._end(connection)
            (found,) = self._execute(connection, "weigh", self._piece(end, goal)).fetchone()
            weight = integer(found, "weigh")
            if weight <= self._piece_max or self._width == 1:
                return end, weight
            self._width = self._width // 2

    def _end(self, connection: sqlite3.Connection) -> int | str | None:
        name = f"end_of_{self._part.name}"
        found = first_row(connection, name, {"begin": self._begin, "width": self._width})
        return _tenant(found[0], name) if found else None

    def _piece(self, end: int | str | None, goal: int) -> dict[str, object]:
        top = self._part.top if end is None else end
        return {"begin": self._begin, "end": top, "from": self._block, "to": goal}

    def _execute(self, connection: sqlite3.Connection, verb: str, piece: Mapping[str, object]) -> sqlite3.Cursor:
        bounds = {**piece, "most": self._piece_max + 1, "lists": self._lists}
        return connection.execute(statements()[f"{verb}_{self._part.name}"], bounds)

    def _go_on(self, connection: sqlite3.Connection, end: int | str | None) -> None:
        """Go on at a tenant; behind the last one the pass is over."""
        self._block = 0
        if end is not None:
            self._begin = end
            return
        connection.execute(statements()["end_filing"], {"part": self._part.name})
        self.begin_anew()


def file_all(connection: sqlite3.Connection) -> None:
    """File all that there is, at once, in the open transaction, while nobody appends. Raises `sqlite3.Error`."""
    lists = _lists(connection)
    for part in PARTS:
        first, _, last = aggregated(connection, "blocks", (part.name,))
        if first < last:
            piece = {"begin": part.bottom, "end": part.top, "from": first, "to": last - 1, "lists": lists}
            connection.execute(statements()["begin_filing"], {"part": part.name, "first": first, "goal": last - 1})
            connection.execute(statements()[f"file_{part.name}"], piece)
            connection.execute(statements()["end_filing"], {"part": part.name})


def _lists(connection: sqlite3.Connection) -> str:
    """Return every space and facet that rows have, as a parameter. What gets another facet later is filed at once."""
    spaces = aggregated(connection, "index_spaces", ())
    return as_json([(space, facet) for space in spaces for facet in facets_of(connection, space)])


def _tenant(found: object, name: str) -> int | str:
    """Return the number or the name of a tenant; text comes as bytes. Raises as for damage when it is neither."""
    try:
        return found.decode() if isinstance(found, bytes) else integer(found, name)
    except UnicodeDecodeError as error:
        raise damaged(name) from error
