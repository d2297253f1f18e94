"""The limit: how many calls at once a dependency can take, found from how long they take.

The algorithm is gradient2 of Netflix's concurrency-limits. Each window of calls gives a mean duration. While it
stays within `tolerance` times the usual duration, the limit grows by the headroom; above that it shrinks by the
gradient, usual over present, by half at most:

    estimate = limit * max(0.5, min(1, tolerance * usual / mean)) + headroom
    limit    = limit * (1 - smoothing) + estimate * smoothing

Three things differ, because there an overload that lasts becomes the usual, and the limit drifts to its maximum:

* The usual duration rises only while demand is below half the limit. Under more it falls, but never rises.
* A window above the tolerance asks for a dip, at most one in each `long_window`: the limit falls to
  ``1 / (2 * tolerance)`` of itself until no more calls than that are in flight and ten new ones have succeeded. Their
  mean is the usual duration from then on. If fewer calls are quicker, it was overload; if not, the dependency has
  changed. Dips take a tenth of the time at most. (Envoy's gradient controller and TCP BBR look for their minimum in
  this way.)
* A failure that took longer than usual, such as a timeout, counts as a call at the steepest gradient. A quick
  failure says nothing about load.
"""

from __future__ import annotations

from math import inf

from switchgear.core.outcome import Verdict
from switchgear.policies.shedding.options import Shedding

_CALLS_MIN = 10  # fewer calls than this say too little
_STEEPEST = 0.5
_FADE = 0.9  # gradient2: a usual duration of over twice the present one fades by this much a window
_FADES_ABOVE = 2.0
_DIP_REST = 10  # a dip is followed by a rest of at least as many times its length


class GradientLimit:
    """The present limit and what it was found from. `limit` is whole, from `minimum` to `maximum`."""

    __slots__ = ("_dip", "_dip_from", "_estimate", "_learned", "_options", "_sample", "_usual", "limit")

    def __init__(self, options: Shedding) -> None:
        """Start with the initial limit and no idea of durations."""
        self._options = options
        self._estimate = float(options.start)
        self._usual = inf
        self._learned = 0
        self._dip_from = inf
        self._sample = _Sample()
        self._dip: _Dip | None = None
        self.limit = options.start

    def reconfigure(self, options: Shedding) -> None:
        """Go by other options from now on. What was learned stays, within the new bounds."""
        self._options = options
        self._estimate = min(max(self._estimate, options.minimum), options.maximum)
        self._resume()

    def settle(self, now: float, duration: float, verdict: Verdict, in_flight: int) -> bool:
        """Take the outcome of a call, one of `in_flight`. Return whether the limit has changed.

        `duration` is in seconds. An infinite one of a success says nothing; of a failure it is a timeout.
        """
        options = self._options
        if verdict is Verdict.IGNORED or options.minimum == options.maximum:
            return False
        before = self.limit
        if self._dip is not None:
            self._measure(self._dip, now, duration, verdict, in_flight)
        elif self._observe(now, duration, verdict, in_flight):
            self._conclude(now)
        return self.limit != before

    def press(self) -> None:
        """Take note that a call found no place, so that demand is not what keeps the calls in flight few."""
        self._sample.pressed = True

    # -- Every day -------------------------------------------------------------------------------------------

    def _observe(self, now: float, duration: float, verdict: Verdict, in_flight: int) -> bool:
        """Put a call into the window. Return whether the window is complete."""
        sample = self._sample
        if verdict is Verdict.FAILURE:
            if duration <= self._usual and duration < inf:
                return False
            sample.drops += 1
        elif 0.0 <= duration < inf:
            sample.calls += 1
            sample.seconds += duration
        else:
            return False
        sample.since = min(sample.since, now)
        sample.peak = max(sample.peak, in_flight)
        return sample.calls + sample.drops >= _CALLS_MIN and now - sample.since >= self._options.window

    def _conclude(self, now: float) -> None:
        """Make an estimate of a complete window. Demand for less than half the limit proves nothing."""
        options, sample = self._options, self._sample
        self._sample = _Sample()
        gradient = self._gradient(sample)
        pressed = sample.pressed or sample.peak * 2 >= self._estimate
        if sample.calls and (sample.mean < self._usual or not pressed):
            self._learn(sample, now)
        if not pressed:
            return
        whole = (sample.calls * gradient + sample.drops * _STEEPEST) / (sample.calls + sample.drops)
        estimate = self._estimate * whole + options.headroom
        smoothed = self._estimate * (1.0 - options.smoothing) + estimate * options.smoothing
        self._estimate = min(max(smoothed, float(options.minimum)), float(options.maximum))
        self.limit = int(self._estimate)
        if gradient < 1.0 and now >= self._dip_from:
            self._begin_dip(now)

    def _gradient(self, sample: _Sample) -> float:
        """Return the gradient of what succeeded: 1 within the tolerance, down to the steepest."""
        bearable = self._options.tolerance * self._usual
        if not sample.calls or sample.mean <= bearable:
            return 1.0
        return max(_STEEPEST, bearable / sample.mean)

    def _learn(self, sample: _Sample, now: float) -> None:
        """Move the usual duration: a plain mean of the first windows, then an exponential one."""
        if not self._learned:
            self._usual = sample.mean
            self._dip_from = now + self._options.long_window
        weight = max((now - sample.since) / self._options.long_window, 1.0 / (self._learned + 1))
        self._learned = min(self._learned + 1, _CALLS_MIN)
        self._usual += min(weight, 1.0) * (sample.mean - self._usual)
        if self._usual > _FADES_ABOVE * sample.mean:
            self._usual *= _FADE

    # -- The dip ---------------------------------------------------------------------------------------------

    def _begin_dip(self, now: float) -> None:
        lowered = int(self._estimate / (2.0 * self._options.tolerance))
        self.limit = max(lowered, self._options.minimum)
        self._dip = _Dip(now)

    def _measure(self, dip: _Dip, now: float, duration: float, verdict: Verdict, in_flight: int) -> None:
        """Take the outcome of a call while the limit dips; only calls that began in the calm are measured."""
        if in_flight - 1 <= self.limit:
            dip.calm_since = min(dip.calm_since, now)
        if verdict is Verdict.SUCCESS and 0.0 <= duration < inf and now - duration >= dip.calm_since:
            dip.calls += 1
            dip.seconds += duration
        if dip.calls >= _CALLS_MIN:
            self._usual = dip.seconds / dip.calls
        elif now - dip.since < self._options.long_window:
            return
        self._dip_from = now + max(self._options.long_window, _DIP_REST * (now - dip.since))
        self._resume()

    def _resume(self) -> None:
        self._dip = None
        self._sample = _Sample()
        self.limit = int(self._estimate)


class _Sample:
    """One window of calls: successes and their seconds, slow failures, the most that were in flight.

    It is `pressed` when a call found no place.
    """

    __slots__ = ("calls", "drops", "peak", "pressed", "seconds", "since")

    def __init__(self) -> None:
        self.calls = self.drops = self.peak = 0
        self.pressed = False
        self.seconds = 0.0
        self.since = inf

    @property
    def mean(self) -> float:
        """Seconds a successful call took."""
        return self.seconds / self.calls


class _Dip:
    """A dip of the limit: since when, since when it is calm, and the calls measured in the calm."""

    __slots__ = ("calls", "calm_since", "seconds", "since")

    def __init__(self, now: float) -> None:
        self.since = now
        self.calm_since = inf
        self.calls = 0
        self.seconds = 0.0
