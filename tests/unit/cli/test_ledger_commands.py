"""The ledger’s commands: verifying is offline and ends with 10 if something is bad; archiving keeps the file first."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli import ledger
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.services import Services
from tests.unit.ledger.signing import KEY, OTHER_KEY, Book, cut, resealed


def _no(*_: object, **__: object) -> object:
    raise AssertionError("these commands need no service")


SERVICES = Services(serve=_no, embed=_no, issue_token=_no)  # type: ignore[arg-type] # never called here


@dataclass
class Server:
    """Answers as a server would; `posted` is what it was sent."""

    answers: dict[str, Any]
    lines_of: list[str] = field(default_factory=list)
    posted: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def get(self, path: str, _parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Answer a GET."""
        found: dict[str, Any] = self.answers[path]
        return found

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a POST."""
        self.posted.append((path, body))
        return self.get(path)

    def lines(self, _path: str) -> Iterator[str]:
        """Stream an export."""
        yield from self.lines_of

    def serve(self, patch: pytest.MonkeyPatch) -> None:
        """Be the server of the commands."""

        @contextmanager
        def session(_url: str, _token: str | None, *, as_json: bool) -> Iterator[object]:
            yield type("Session", (), {"client": self, "output": Output(as_json=as_json)})

        patch.setattr(ledger, "session", session)


@pytest.fixture
async def signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a signed export, a rewritten and a truncated one, the note and the public key."""
    monkeypatch.chdir(tmp_path)
    book = Book()
    await book.write(3)
    note = (await book.checkpointer().sign("acme")).note
    lines = await book.lines()
    for name, content in (("good", lines), ("bad", resealed(lines, 2)), ("cut", cut(lines, 2))):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(content) + "\n", encoding="utf-8")
    (tmp_path / "acme.note").write_text(note, encoding="utf-8")
    (tmp_path / "acme.pub").write_text(f"{KEY.public}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "first_bad"),
    [
        (["good.jsonl"], ExitCode.OK, None),
        (["good.jsonl", "--key", str(KEY.public), "--checkpoint", "acme.note"], ExitCode.OK, None),
        (["good.jsonl", "--key", "acme.pub"], ExitCode.OK, None),
        (["good.jsonl", "--key", str(OTHER_KEY.public)], ExitCode.VERIFY_FAILED, None),
        (["bad.jsonl", "--key", "acme.pub"], ExitCode.VERIFY_FAILED, 3),
        (["cut.jsonl", "--checkpoint", "acme.note"], ExitCode.VERIFY_FAILED, 3),
    ],
)
@pytest.mark.usefixtures("signed")
def test_verifying_ends_with_what_was_found(
    words: list[str], code: ExitCode, first_bad: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when the chain is whole, 10 when it is not, with the first bad entry for machines."""
    assert run(["ledger", "verify", *words, "--json"], SERVICES) == code
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["first_bad_seq"]) == (code == ExitCode.OK, first_bad)


@pytest.mark.usefixtures("signed")
def test_people_are_told_what_is_signed(capsys: pytest.CaptureFixture[str]) -> None:
    """Up to which entry somebody stands by it, and whether that was checked at all."""
    assert run(["ledger", "verify", "good.jsonl", "--key", "acme.pub"], SERVICES) == ExitCode.OK
    assert "checkpoint at entry 3, signed by ledger.example.org" in capsys.readouterr().out
    assert run(["ledger", "verify", "good.jsonl"], SERVICES) == ExitCode.OK
    assert "signature not checked: give --key" in capsys.readouterr().out
    assert run(["ledger", "verify", "cut.jsonl", "--key", "acme.pub"], SERVICES) == ExitCode.VERIFY_FAILED
    assert "not intact" in capsys.readouterr().out


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(
    "words",
    [
        ["verify", "missing.jsonl"],
        ["verify", "good.jsonl", "--key", "missing.pub"],
        ["verify", "good.jsonl", "--key", "a+b+c"],
        ["verify", "good.jsonl", "--checkpoint", "missing.note"],
        ["verify", "--key", "acme.pub"],
        ["key", "missing.key"],
        ["key", "acme.pub"],
        ["key", "acme.pub", "--name", "ledger.example.org"],
        ["key", "new.key", "--name", "not a name"],
    ],
)
def test_wrong_calls_are_no_verdict(words: list[str]) -> None:
    """What could not even be looked at ends with 2, never with 0 or 10."""
    assert run(["ledger", *words], SERVICES) == ExitCode.USAGE


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SQLite format 3\0" + bytes(range(256)), "is a store (a SQLite database)"),
        (b"\x1f\x8b\x08 packed", "is no export of a ledger"),
        (b'{"some":"document"}\n', "is no export of a ledger"),
        (b"[]\n", "is no export of a ledger"),
        (b"{" * 1_100_000, "is no export of a ledger"),
        (b"", "is no export of a ledger"),
    ],
)
@pytest.mark.parametrize("others", [[], ["good.jsonl"]])
def test_a_file_that_is_no_export_is_no_forgery(
    content: bytes, words: str, others: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was verified, so the exit code is 2: neither the 0 of a whole chain nor the 10 of a changed one."""
    Path("other.db").write_bytes(content)
    assert run(["ledger", "verify", *others, "other.db", "--json"], SERVICES) == ExitCode.USAGE
    said = capsys.readouterr()
    problem = json.loads(said.err)
    assert (said.out, problem["code"]) == ("", "INVALID_ARGUMENT")
    assert words in problem["detail"]
    assert "switchgear ledger export" in problem["advice"]


@pytest.mark.usefixtures("signed")
def test_an_export_whose_header_was_destroyed_does_not_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 2 and names the header; damage in a header that can still be told as one is a finding, 10."""
    header, _, rest = Path("good.jsonl").read_text(encoding="utf-8").partition("\n")
    Path("torn.jsonl").write_text(f"{header[:-9]}\n{rest}", encoding="utf-8")
    Path("headless.jsonl").write_text(rest, encoding="utf-8")
    for name in ("torn.jsonl", "headless.jsonl"):
        assert run(["ledger", "verify", name], SERVICES) == ExitCode.USAGE
        assert "line 1 is not the header of one" in " ".join(capsys.readouterr().err.split())
    Path("later.jsonl").write_text(json.dumps({**json.loads(header), "version": 9}) + f"\n{rest}", encoding="utf-8")
    assert run(["ledger", "verify", "later.jsonl"], SERVICES) == ExitCode.VERIFY_FAILED


def test_a_key_is_made_once_and_shown_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The private half stays in a file of its owner; only the public one is printed."""
    monkeypatch.chdir(tmp_path)
    made = run(["ledger", "key", "ledger.key", "--name", "ledger.example.org"], SERVICES)
    printed = capsys.readouterr().out.strip()
    shown = run(["ledger", "key", "ledger.key", "--json"], SERVICES)
    document = json.loads(capsys.readouterr().out)
    assert (made, shown, document["public_key"]) == (ExitCode.OK, ExitCode.OK, printed)
    assert stat.S_IMODE(Path("ledger.key").stat().st_mode) == 0o600
    assert "PRIVATE" not in printed


def test_a_checkpoint_is_written_as_it_was_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte by byte, since a signature is over bytes."""
    note = str(KEY.sign("ledger.example.org/acme\n3\n" + "A" * 43 + "=\n"))
    server = Server({"/v1/ledger/checkpoint": {"note": note, "seq": 3, "at": 0.0}})
    server.serve(monkeypatch)
    assert run(["ledger", "checkpoint"], SERVICES) == ExitCode.OK
    assert capsys.readouterr().out == note
    file = tmp_path / "acme.note"
    assert run(["ledger", "checkpoint", "--sign", "--output", str(file)], SERVICES) == ExitCode.OK
    assert file.read_bytes() == note.encode()
    assert server.posted == [("/v1/ledger/checkpoint", {})]


async def server_of(last_seq: int) -> Server:
    """Return a server from which entries up to `last_seq` of 5 may be archived."""
    book = Book()
    await book.write(5)
    entries = await book.store.entries("acme")
    hash_ = entries[last_seq - 1].hash.hex() if last_seq else ""
    possible = {"first_seq": 1, "last_seq": last_seq, "hash": hash_, "archived_through": 0, "blocked_by": ""}
    answer = {"first_seq": 1, "last_seq": last_seq, "hash": hash_, "sha256": ""}
    answers = {"/v1/ledger/archivable": possible, "/v1/ledger/archive": answer}
    return Server(answers, await book.lines(last_seq=last_seq) if last_seq else [])


async def test_archiving_keeps_the_segment_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server hears of it once the file is written and verified, with the proof that we have it."""
    server = await server_of(3)
    server.serve(monkeypatch)
    file = tmp_path / "segment.jsonl"
    assert run(["ledger", "archive", "--before", "9", "--output", str(file)], SERVICES) == ExitCode.OK
    ((path, proof),) = server.posted
    assert path == "/v1/ledger/archive"
    assert (proof["last_seq"], proof["sha256"]) == (3, hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize("damage", [lambda lines: lines[:-1], lambda lines: cut(lines, 2), lambda lines: []])
async def test_a_segment_that_is_not_whole_archives_nothing(
    damage: Any,  # noqa: ANN401 - lines to lines
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stream that broke off, or ends at another entry, is a finding; the store keeps everything."""
    server = await server_of(3)
    server.lines_of = damage(server.lines_of)
    server.serve(monkeypatch)
    words = ["ledger", "archive", "--before", "9", "--output", str(tmp_path / "segment.jsonl")]
    assert run(words, SERVICES) == ExitCode.VERIFY_FAILED
    assert server.posted == []


@pytest.mark.parametrize(
    ("through", "blocker", "words"),
    [
        (8, "", "archived already"),
        (0, "", "no entry below 9"),
        (0, "int_7", "the action int_7, which is not over"),
        (0, "sga_7", "sagas show sga_7"),
        (0, "time_box.int_7", "time-boxes show int_7"),
        (0, "kill_switches", "of which one is on"),
        (0, "imported", "belongs to imported"),
    ],
)
async def test_nothing_to_archive_is_said_with_its_reason(
    through: int,
    blocker: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is written then, and what blocks is named with the command that shows it."""
    server = await server_of(0)
    server.answers["/v1/ledger/archivable"] |= {"archived_through": through, "blocked_by": blocker}
    server.serve(monkeypatch)
    file = tmp_path / "segment.jsonl"
    assert run(["ledger", "archive", "--before", "9", "--output", str(file)], SERVICES) == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert not file.exists()


def test_an_erasure_says_what_is_gone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason goes to the server, and the answer says how many payloads there were."""
    server = Server({"/v1/intents/int_1/erase": {"intent": "int_1", "seqs": [1, 3]}})
    server.serve(monkeypatch)
    assert run(["ledger", "erase", "int_1", "--reason", "request 17"], SERVICES) == ExitCode.OK
    assert "erased 2 payloads of int_1" in capsys.readouterr().out
    assert server.posted == [("/v1/intents/int_1/erase", {"reason": "request 17"})]
