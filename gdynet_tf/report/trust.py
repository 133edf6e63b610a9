"""How far the data can be trusted, in plain words."""

import numpy as np

from gdynet_tf.analysis.chi import as_chi
from gdynet_tf.analysis.kinetics.timescales import flat_within_interval
from gdynet_tf.analysis.relaxation import observed_transitions

__all__ = ["assess"]

_FEW_EVENTS = 20  # changes of state; the relative error of a rate from n events is 1/sqrt(n), here 22 %
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
    caveats, n_events = [], int(observed_transitions(chi, tau).sum())
    if 0 < n_events < _FEW_EVENTS:
        caveats.append(
            f"Only {n_events} change{'s' if n_events > 1 else ''} of state lasted for the lag time: too few for "
            "reliable rates."
        )
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
            caveats += _about_slow(name, slow, unit, longest)
        if status == "complex":
            caveats.append(
                f"{name} oscillates (complex eigenvalue): its timescale is the decay time of the oscillation."
            )
        if flat_within_interval(timescales, tau * frame_interval, timescales.lag_times[-1], process) is False:
            caveats.append(f"{name} is not constant in the lag time beyond {tau * frame_interval:.4g} {unit}.")
    if np.isnan(timescales.lower).all():
        caveats.append(f"{str(timescales.basis).capitalize()}.")
    elif timescales.basis.kind == "groups of targets":
        caveats.append(
            "The intervals come from groups of targets that move independently: they do not see how another stretch of "
            "time, or another simulation, would differ."
        )
    slow = timescales.timescales[:, at_tau]
    if ck is None and not (slow > tau * frame_interval).any():
        return "Nothing slow was found: no relaxation outlasts the lag time, there is nothing to test.", caveats
    return _verdict(ck), caveats


def _about_slow(name, slow, unit, longest):
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


def _verdict(ck):
    return "Not tested: the data are too short for a Chapman-Kolmogorov test." if ck is None else ck.finding.text
