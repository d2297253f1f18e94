"""Law: a gate that is asked once for acceptance and dispatch in one append would have said the same twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.gating import departure_request
from switchgear.gates.approval import ApprovalGate, ApprovalRule
from switchgear.gates.budget import Budget, BudgetGate, Budgets
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.contracts.book import Accepted, ContractBook
from switchgear.gates.contracts.gate import ContractGate
from switchgear.gates.gate import NO_CONDITIONS, Gate, GateRequest, OneAnswer, Stage
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.switches import Mode, Switch, Switches
from switchgear.gates.restoring.book import Mark, RestoreBook
from switchgear.gates.restoring.gate import RestoreGate
from tests.effort import examples

TENANTS, TOOLS, DEPENDENCIES = ("acme", "globex"), ("crm.update", "crm.delete"), ("crm", "mail")
CONTRACTS = ("c1", "c2")
TARGETS = (
    "global",
    *(
        f"{kind}:{name}"
        for kind, names in zip(("tenant", "tool", "connector"), (TENANTS, TOOLS, DEPENDENCIES), strict=True)
        for name in names
    ),
)

requests = st.builds(
    GateRequest,
    stage=st.just(Stage.ADMISSION),
    intent_id=st.just("int_1"),
    tenant=st.sampled_from(TENANTS),
    account=st.just("main"),
    actor=st.sampled_from(("agent:seven", "service:orders")),
    tool=st.sampled_from(TOOLS),
    contract=st.sampled_from(CONTRACTS),
    requires=st.sampled_from((("crm",), ("crm", "mail"))),
    effect=st.sampled_from(Effect),
    destructive=st.booleans(),
    cost=st.integers(0, 3),
    payload=st.just("p1"),
    at=st.just(100.0),
    deadline_at=st.just(200.0),
    purpose=st.sampled_from((None, "lookup", "revert", "step")),
    undo=st.sampled_from((None, *TOOLS)),
)


@st.composite
def kill_switches(draw: st.DrawFn) -> KillSwitchGate:
    """Draw a gate that was told what is on in two scopes, is closed for some, or was never told."""
    gate = KillSwitchGate(VirtualClock(), stale_after=draw(st.sampled_from((None, 2.0))))
    for version, scope in enumerate((PLATFORM_TENANT, "acme"), start=1):
        modes = draw(st.dictionaries(st.sampled_from(TARGETS), st.sampled_from(Mode), max_size=2))
        switches = {name: Switch(name, mode, "", ("person:ada",), 1.0) for name, mode in modes.items()}
        if draw(st.integers(0, 5)):
            gate.learn(scope, version, Switches(switches))
    return gate


@st.composite
def contracts(draw: st.DrawFn) -> ContractBook:
    """Draw what was accepted of each tool; what is registered is drawn with the request."""
    book = ContractBook()
    for tool in TOOLS:
        if draw(st.booleans()):
            contract, version = draw(st.sampled_from((*CONTRACTS, ""))), draw(st.sampled_from(("", "1", "2")))
            book.accepted[tool] = Accepted(contract, version, followed=draw(st.booleans()))
    return book


marks = st.sampled_from(
    (
        None,
        Mark(backup_at=1.0, restored_at=2.0, sha256="a"),
        Mark(backup_at=1.0, restored_at=2.0, sha256="a", thawed_at=3.0),
    )
)
rules = st.builds(
    ApprovalRule,
    name=st.just("rule"),
    tool=st.sampled_from(("*", "crm.delete")),
    actor=st.sampled_from(("*", "agent:*")),
    cost_above=st.sampled_from((None, 1)),
    destructive=st.sampled_from((None, True, False)),
)


@settings(max_examples=examples(400))
@given(
    requests, kill_switches(), contracts(), st.builds(RestoreBook, marks, st.booleans()), st.lists(rules, max_size=2)
)
def test_what_it_lets_in_it_would_let_leave_on_the_same_conditions(
    request: GateRequest, stop: KillSwitchGate, book: ContractBook, mark: RestoreBook, asking: list[ApprovalRule]
) -> None:
    """Whatever is set, changed, frozen or asked for: the second answer of the same turn is the first."""
    for tool in TOOLS:
        book.register(tool, request.contract if tool == request.tool else "c9", "1")
    gates: tuple[Gate, ...] = (stop, RestoreGate(mark), ContractGate(book), ApprovalGate(asking))
    for gate in gates:
        assert isinstance(gate, OneAnswer)
        try:
            let_in = gate.check(request)
        except Rejected:
            continue  # it does not get in, so it does not leave in the same moment
        assert gate.check(departure_request(request)) == let_in


@given(requests)
def test_a_gate_that_charges_what_leaves_is_asked_again(request: GateRequest) -> None:
    """A budget quotes at admission and charges at dispatch: it has two answers, and is none of these."""
    gate = BudgetGate(Budgets((Budget(name="agents", limit=9),)), BudgetBook())
    assert not isinstance(gate, OneAnswer)
    assert gate.check(request) is NO_CONDITIONS
    assert (gate.check(departure_request(request)) is not NO_CONDITIONS) is (request.cost > 0)
