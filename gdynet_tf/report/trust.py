"""How far the data can be trusted, in plain words."""

import numpy as np

from gdynet_tf.analysis.chi import as_chi
from gdynet_tf.analysis.kinetics.timescales import flat_within_interval

__all__ = ["assess"]

_FEW_EVENTS = 20  # relaxations seen; the relative error of a rate from n events is 1/sqrt(n), here 22 %
_LONG = 3  # a segment should hold three relaxation times to reach equilibrium to 5 %


def assess(chi, timescales, ck, frame_interval, tau):
    """Sentences on what the amount of data allows one to say.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
        What the results were computed from.
    timescales : ImpliedTimescales
        Holding the lag ``tau``.
    ck : ChapmanKolmogorovTest or None
        None: the segments are too short for the test.
    frame_interval : float
        In the time unit of ``timescales``.
    tau : int
        Lag time in frames.

    Returns
    -------
    verdict : str
        One sentence on whether the model is Markovian at tau.
    caveats : list of str
    """
    chi = as_chi(chi)
    unit, at_tau = timescales.time_unit, int(np.flatnonzero(timescales.lags == tau)[0])
    longest = max(len(segment) for segment in chi) * frame_interval
    total = sum(len(segment) for segment in chi) * frame_interval
    n_targets = chi[0].shape[1]
    caveats = []
    for process, slow in enumerate(timescales.timescales[:, at_tau]):
        status, name = timescales.status[process, at_tau], f"Relaxation {process + 1}"
        if status == "unresolved":
            caveats.append(
                f"{name} does not decay within the data: its eigenvalue has a modulus of 1 or more, its timescale is "
                "unknown."
            )
        elif status == "negative":
            caveats.append(
                f"{name} is faster than the lag time or alternates with it: its eigenvalue is not positive, it has no "
                "timescale."
            )
        elif slow >= tau * frame_interval:
            caveats += _about_slow(name, slow, unit, longest, n_targets * total / (2 * slow))
        if status == "complex":
            caveats.append(
                f"{name} oscillates (complex eigenvalue): its timescale is the decay time of the oscillation."
            )
        if flat_within_interval(timescales, tau * frame_interval, timescales.lag_times[-1], process) is False:
            caveats.append(f"{name} is not constant in the lag time beyond {tau * frame_interval:.4g} {unit}.")
    if np.isnan(timescales.lower).all():
        caveats.append(f"There are no confidence intervals: {timescales.interval}.")
    elif timescales.interval.endswith("targets"):
        caveats.append(
            "The intervals of the timescales come from sets of targets of one trajectory: they do not see how another "
            "stretch of time, or another simulation, would differ."
        )
    slow = timescales.timescales[:, at_tau]
    if not (slow > tau * frame_interval).any():
        return "Nothing slow was found: no relaxation outlasts the lag time, there is nothing to test.", caveats
    return _verdict(ck, unit), caveats


def _about_slow(name, slow, unit, longest, n_events):
    if slow > longest:
        yield (
            f"{name} ({slow:.3g} {unit}) outlasts the longest stretch of data ({longest:.4g} {unit}): the value is "
            "an extrapolation, resting on the many targets and on the model being Markovian."
        )
    elif slow * _LONG > longest:
        yield (
            f"{name} ({slow:.3g} {unit}) is more than a third of the longest stretch of data ({longest:.4g} {unit}): "
            "populations may not have reached equilibrium."
        )
    if n_events < _FEW_EVENTS:
        yield f"{name} ({slow:.3g} {unit}) is seen about {n_events:.2g} times in all: too few for a reliable rate."


def _verdict(ck, unit):
    if ck is None:
        return "Not tested: the data are too short for a Chapman-Kolmogorov test."
    if len(ck.steps) <= 2:
        return "Not tested: a Chapman-Kolmogorov test of a single step holds by construction."
    span = f"up to {ck.lag_times[-1]:.4g} {unit}"
    if ck.passed is None:
        return (
            f"Undecided: the Chapman-Kolmogorov test deviates by at most {ck.max_deviation:.3f} {span}, "
            f"but has no intervals ({ck.interval})."
        )
    if ck.passed:
        return f"Markovian: the Chapman-Kolmogorov test holds within its intervals {span} (from {ck.interval})."
    _, i, j = np.argwhere(~ck.inside)[0]
    share = 100 * ck.inside[2:].mean()  # steps 0 and 1 agree by construction
    return (
        f"Not Markovian: the Chapman-Kolmogorov test fails {span}, first for {i} to {j}; {share:.0f} % of "
        f"its values lie inside their intervals (from {ck.interval}), the largest deviation is {ck.max_deviation:.3f}. "
        "Try a longer lag time, then more states."
    )
