"""The states of silicon at the interface, beside the q3 order parameter: profiles, agreement, dynamics.

python examples/si_interface/interface.py RUN [RUN ...]

Writes RUN_interface.png and RUN_interface.csv beside RUN and prints what they show.
"""

import sys
from dataclasses import replace

import numpy as np
from simulate import BIN, ORDERED, SMOOTH, mean_over

import gdynet_tf.analysis as ga
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.networks.gdynet import load_model

FRAMES = 250
BULK = 6.0  # Å from the interface: three crystal layers
DEEP = 10.0  # Å
LAG_TIMES = (20.0, 50.0, 100.0, 200.0)  # ps
PEAK = 5  # bins over which a profile is smoothed to find where a state is densest


def crystal_middle(z, q3, height):
    """Middle of the crystal in each frame, the circular mean of the ordered atoms' z, (f,) Å."""
    angle = 2 * np.pi * z / height
    order = np.where(q3 > ORDERED, q3 - ORDERED, 0.0)
    return np.angle((order * np.exp(1j * angle)).sum(axis=1)) / (2 * np.pi) * height


def from_middle(z, middle, height):
    """Distance from the middle of the crystal, (f, T) in [-height/2, height/2)."""
    return (z - middle[:, None] + height / 2) % height - height / 2


def states_of(run, atoms, frames):
    """chi of any atoms, targets or not, in frames (segment, frame) of the test data, (f, N, n)."""
    graphs, model, blocks = open_graphs(run.config["graphs"]["path"]), load_model(run.path), run.blocks("test")
    constants = {"atomic_numbers": graphs.atomic_numbers, "targets": atoms[:, None]}
    chi = []
    for segment, frame in frames:
        trajectory, start, _ = blocks[segment]
        graph = graphs.read(np.array([trajectory]), np.array([start + frame]))
        chi.append(np.asarray(model.predict_on_batch({**graph, **constants}), np.float64)[0])
    return np.array(chi)


class Interface:
    """Places, order and states of all silicon, target or not, in evenly spaced frames of the test data.

    Attributes
    ----------
    chi : list of (F, T, n) arrays
        Of the targets, every frame.
    place : (f, N) array
        Distance from the middle of the crystal, Å, of each silicon atom in each of the f frames.
    q3 : (f, N) array
    p : (f, N, n) array
        Probabilities of the states.
    edges : (b + 1,) array
        Of the bins along z, Å from the middle of the crystal.
    order : (b,) array
        Mean q3.
    density : (n, b) array
        Silicon atoms per Å in each state.
    half : float
        Distance of the interface from the middle of the crystal, Å.
    mean_q3 : (n,) array
    """

    def __init__(self, path):
        self.run = ga.load_run(path)
        self.chi, system = ga.load_chi(self.run, "test"), ga.load_system(self.run, "test")
        silicon = np.flatnonzero(system.atomic_numbers == 14)
        q3, frames = ga.bond_order_of_targets(replace(system, targets=silicon[:, None]), 3, 4, FRAMES)  # (f, N)
        z = np.array([system.positions[n][t, silicon, 2] for n, t in frames])
        height = float(system.lattices[0][0, 2, 2])
        place = from_middle(z, crystal_middle(z, q3, height), height)  # (f, N)
        self.edges = np.linspace(-height / 2, height / 2, round(height / BIN) + 1)
        n_bins = len(self.edges) - 1
        self.order = mean_over(self._bins(place), q3, n_bins, 1)
        crystal = self.middles[mean_over(self._bins(place), q3, n_bins, SMOOTH) > ORDERED]
        self.half = (crystal[-1] - crystal[0]) / 2 + BIN / 2
        self.place, self.q3, self.p = place, q3, states_of(self.run, silicon, frames)  # (f, N), (f, N), (f, N, n)
        where, n_states = self._bins(place), self.p.shape[2]
        self.density = np.array(
            [np.bincount(where.ravel(), self.p[..., i].ravel(), n_bins) for i in range(n_states)]
        ) / (len(frames) * BIN)
        self.mean_q3 = ga.state_distribution(self.q3, self.p, np.linspace(0, 1, 51)).mean

    @property
    def middles(self):
        return (self.edges[1:] + self.edges[:-1]) / 2

    def _bins(self, place):
        return np.clip(np.searchsorted(self.edges, place, side="right") - 1, 0, len(self.edges) - 2)

    def mean_distance(self):
        """Mean distance of each state from the interface, below and above; negative inside the crystal, (2, n) Å."""
        outside = np.abs(self.place) - self.half
        rows = []
        for side in (self.place < 0, self.place >= 0):
            weights = self.p * side[..., None]
            rows.append((weights * outside[..., None]).sum(axis=(0, 1)) / weights.sum(axis=(0, 1)))
        return np.array(rows)

    def densest(self):
        """Distance from the interface at which each state is densest, below and above, (2, n) Å; any in a plateau."""
        rows = []
        for side in (self.middles < 0, self.middles >= 0):
            smooth = [np.convolve(row, np.ones(PEAK) / PEAK, mode="same")[side] for row in self.density]
            rows.append(np.abs(self.middles[side])[np.argmax(smooth, axis=1)] - self.half)
        return np.array(rows)

    def likeliest(self, nearest, farthest):
        """Share of each likeliest state, (n,), among the atoms between two distances from the interface, Å."""
        outside = np.abs(self.place) - self.half
        chosen = (outside > nearest) & (outside < farthest)
        return np.bincount(self.p.argmax(axis=2)[chosen], minlength=self.p.shape[2]) / chosen.sum()

    def agreement(self):
        """Share of the bulk atoms whose likeliest state is of the phase: crystal, melt; and whose q3 is, (2, 2)."""
        ordered_state = (self.mean_q3 > ORDERED)[self.p.argmax(axis=2)]
        outside = np.abs(self.place) - self.half
        rows = []
        for bulk, ordered in ((outside < -BULK, True), (outside > BULK, False)):
            rows.append([(found[bulk] == ordered).mean() for found in (ordered_state, self.q3 > ORDERED)])
        return np.array(rows)


def draw(found):
    """Profile of the states and of q3 with its numbers."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 1, sharex=True, layout="constrained", figsize=(6.4, 4.6), height_ratios=(2, 1))
    for i, row in enumerate(found.density):
        axes[0].stairs(row, found.edges, color=ga.plots.state_color(i), lw=1.5, label=f"state {i}")
    axes[1].plot(found.middles, found.order, color="black")
    for ax in axes:
        for edge in (-found.half, found.half):
            ax.axvline(edge, color="0.5", ls="--", lw=1)
    axes[0].set_ylabel("silicon atoms per Å")
    axes[0].set_ylim(bottom=0)
    figure.legend(loc="outside upper center", fontsize="small", ncols=len(found.density))
    axes[1].set_ylabel("mean q$_3$")
    axes[1].set_xlabel("distance from the middle of the crystal (Å)")
    columns = {"z_angstrom": found.middles, "mean_q3": found.order}
    columns |= {f"state_{i}_per_angstrom": row for i, row in enumerate(found.density)}
    return ga.plots.save_figure(figure, found.run.path.with_name(f"{found.run.path.name}_interface"), columns)


def describe(path):
    """Lines on one run."""
    found = Interface(path)
    run, chi = found.run, found.chi
    units = {"frame_interval": run.frame_interval, "time_unit": run.time_unit}
    longest = len(chi[0]) * run.frame_interval / 5
    lag_times = {run.tau * run.frame_interval, *(t for t in LAG_TIMES if t < longest)}
    lags = [round(t / run.frame_interval) for t in sorted(lag_times)]
    times, at = ga.implied_timescales(chi, lags, **units), lags.index(run.tau)
    test = ga.chapman_kolmogorov_test(chi, run.tau, 5, **units)
    vectors = ga.eigenvectors(ga.koopman_matrix(chi, run.tau))
    distance, densest, agreement = found.mean_distance(), found.densest(), found.agreement()
    yield f"{path}: lag {run.tau * run.frame_interval:g} {run.time_unit}, VAMP-2 {ga.vamp2_score(chi, run.tau):.4f}"
    yield f"  crystal {2 * found.half:.1f} Å thick; figure: {draw(found)[0]}"
    yield "  distance from the interface below and above the crystal (Å), negative inside"
    yield "  state  population  mean q3        mean         densest"
    for i, population in enumerate(ga.populations(chi)):
        (below, above), (low, high) = distance[:, i], densest[:, i]
        yield (
            f"  {i:5d}  {population:10.3f}  {found.mean_q3[i]:7.3f}  "
            f"{below:5.1f} {above:5.1f}     {low:5.1f} {high:5.1f}"
        )
    for k in range(len(times.timescales)):
        vector = " ".join(f"{v:+.2f}" for v in vectors.right[:, k + 1].real)
        low, high = times.lower[k, at], times.upper[k, at]
        interval = f"{low:.4g} to {high:.4g}" if np.isfinite(low) else "no interval"
        yield f"  relaxation {k + 1}: {times.timescales[k, at]:.4g} ps ({interval}), eigenvector {vector}"
    slowest = ", ".join(f"{t:.4g} at {lag:g}" for t, lag in zip(times.timescales[0], times.lag_times, strict=True))
    yield f"  slowest timescale (ps) by lag time: {slowest}"
    verdict = {True: "holds", False: "fails", None: "has no interval"}[test.passed]
    yield f"  Chapman-Kolmogorov test {verdict} up to {test.lag_times[-1]:g} ps, deviation {test.max_deviation:.3f}"
    for phase, (state, q3) in zip(("crystal", "melt"), agreement, strict=True):
        yield f"  bulk {phase}: likeliest state agrees for {100 * state:.1f} %, the atom's own q3 for {100 * q3:.1f} %"
    for name, bounds in (
        (f"over {BULK:g} Å inside", (-np.inf, -BULK)),
        (f"over {DEEP:g} Å inside", (-np.inf, -DEEP)),
        (f"over {BULK:g} Å outside", (BULK, np.inf)),
    ):
        yield (
            f"  likeliest state, {name}: " + " ".join(f"{100 * share:.1f}" for share in found.likeliest(*bounds)) + " %"
        )


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        for line in describe(path):
            print(line)


if __name__ == "__main__":
    main()
