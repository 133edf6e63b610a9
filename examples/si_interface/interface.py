"""The states of silicon at the interface, beside the q3 order parameter: profiles, agreement, dynamics.

python examples/si_interface/interface.py RUN [RUN ...]

Writes interface.png and interface.csv into RUN/analysis and prints what they show.
"""

import sys
from dataclasses import replace

import numpy as np
from simulate import BIN, ORDERED, SMOOTH, mean_over

import gdynet_tf.analysis as ga
from gdynet_tf.dataset import open_graphs
from gdynet_tf.model import load_model

FRAMES = 250
BULK = 6.0  # Å from the interface: three crystal layers


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
    """Places, order and states of all silicon, target or not, in evenly spaced frames of the test data."""

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
        self.half = (crystal[-1] - crystal[0]) / 2 + BIN / 2  # half the thickness of the crystal
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
    folder = found.run.path / "analysis"
    folder.mkdir(exist_ok=True)
    return ga.plots.save_figure(figure, folder / "interface", columns)


def describe(path):
    """Lines on one run."""
    found = Interface(path)
    run, chi = found.run, found.chi
    units = {"frame_interval": run.frame_interval, "time_unit": run.time_unit}
    times = ga.implied_timescales(chi, [run.tau], **units, by="targets")
    test = ga.chapman_kolmogorov_test(chi, run.tau, 5, **units, by="targets")
    vectors = ga.eigenvectors(ga.koopman_matrix(chi, run.tau))
    distance, agreement = found.mean_distance(), found.agreement()
    yield f"{path}: lag {run.tau * run.frame_interval:g} {run.time_unit}, VAMP-2 {ga.vamp2_score(chi, run.tau):.4f}"
    yield f"  crystal {2 * found.half:.1f} Å thick; figure: {draw(found)[0]}"
    yield "  state  population  mean q3  distance from the interface below, above (Å)"
    for i, population in enumerate(ga.populations(chi)):
        yield f"  {i:5d}  {population:10.3f}  {found.mean_q3[i]:7.3f}  {distance[0, i]:6.1f} {distance[1, i]:6.1f}"
    for k in range(len(times.timescales)):
        vector = " ".join(f"{v:+.2f}" for v in vectors.right[:, k + 1].real)
        low, high = times.lower[k, 0], times.upper[k, 0]
        yield f"  relaxation {k + 1}: {times.timescales[k, 0]:.4g} ps ({low:.4g} to {high:.4g}), eigenvector {vector}"
    verdict = {True: "holds", False: "fails", None: "has no interval"}[test.passed]
    yield f"  Chapman-Kolmogorov test {verdict} up to {test.lag_times[-1]:g} ps, deviation {test.max_deviation:.3f}"
    for phase, (state, q3) in zip(("crystal", "melt"), agreement, strict=True):
        yield f"  bulk {phase}: likeliest state agrees for {100 * state:.1f} %, the atom's own q3 for {100 * q3:.1f} %"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        for line in describe(path):
            print(line)


if __name__ == "__main__":
    main()
