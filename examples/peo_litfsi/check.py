"""Whether the simulated LiTFSI in poly(ethylene oxide) is the melt it should be, and liquid enough.

python examples/peo_litfsi/check.py FOLDER [SKIP]

Reads the pieces of FOLDER, leaves out the first SKIP ns (default: 0), and prints density, radius of gyration, the first
peaks around lithium, what surrounds it, its mean squared displacement and how long its neighbours stay.
"""

import sys
from pathlib import Path

import MDAnalysis as mda
import numpy as np
from MDAnalysis.lib.distances import distance_array

CUTOFF = 2.8  # Å, the first minimum around lithium
RDF_EDGES = np.arange(1.0, 6.01, 0.05)  # Å

# Specific volume of molten PEO, Tait equation at zero pressure, cm3/g against °C (88 to 224 °C):
# P. A. Rodgers, J. Appl. Polym. Sci. 48, 1061 (1993).
MELT_VOLUME = (0.8766, 7.087e-4)
# <R2>/M of molten PEO, Å2 mol/g: L. J. Fetters, D. J. Lohse, D. Richter, T. A. Witten, A. Zirkel, Macromolecules 27,
# 4639 (1994). That of an infinite chain: one of 24 units is smaller, by about a tenth.
MELT_SIZE = 0.805


class Melt:
    """Trajectory of FOLDER, read once.

    Attributes
    ----------
    universe : mda.Universe
    times : (F,) array
        ps.
    lithium : (F, Li, 3) array
        Unwrapped, Å.
    gyration : (F, C) array
        Radius of gyration of each chain's backbone, Å.
    bound : {name: (F, Li, O) bool array}
        Whether each oxygen, of PEO, hydroxyl (ends of PEO) and TFSI, is within CUTOFF of each lithium.
    molecules : {name: (O,) array}
        Molecule of each of these oxygens.
    rdf : {name: array}
        g(r) of lithium and these oxygens, in the bins of RDF_EDGES.
    """

    def __init__(self, folder, skip):
        pieces = sorted(Path(folder).glob("piece_*.xtc"))
        if not pieces:
            sys.exit(f"error: no piece_*.xtc in {folder}")
        self.universe = mda.Universe(pieces[0].with_suffix(".tpr"), to_guess=())
        select = self.universe.select_atoms
        oxygens = {
            "PEO": select("resname PEO and type opls_180"),
            "hydroxyl": select("resname PEO and type opls_154"),
            "TFSI": select("resname TFSI and type tfsi_O"),
        }
        self.molecules = {name: atoms.resindices for name, atoms in oxygens.items()}
        lithium = select("resname LI")
        backbones = [
            r.atoms.select_atoms("not type opls_140 opls_155 opls_185") for r in select("resname PEO").residues
        ]
        times, positions, gyration = [], [], []
        bound = {name: [] for name in oxygens}
        counts = {name: np.zeros(len(RDF_EDGES) - 1) for name in oxygens}
        for piece in pieces:
            self.universe.load_new(str(piece))
            for frame in self.universe.trajectory:
                if piece is not pieces[0] and frame.frame == 0:
                    continue  # the last frame of the piece before
                times.append(times[-1] + self.universe.trajectory.dt if times else 0.0)
                if times[-1] < 1000 * skip:
                    continue
                box = frame.dimensions[:3]
                positions.append(lithium.positions)
                gyration.append([radius_of_gyration(chain.positions, chain.masses, box) for chain in backbones])
                for name, atoms in oxygens.items():
                    distances = distance_array(lithium.positions, atoms.positions, box=frame.dimensions)
                    bound[name].append(distances < CUTOFF)
                    counts[name] += np.histogram(distances, RDF_EDGES)[0]
        self.box = box
        self.times = np.array(times[-len(positions) :])
        self.lithium = unwrapped(np.array(positions, float), box)
        self.gyration = np.array(gyration)
        self.bound = {name: np.array(rows) for name, rows in bound.items()}
        shells = 4 / 3 * np.pi * np.diff(RDF_EDGES**3)
        self.rdf = {
            name: counts[name] / (len(positions) * len(lithium) * len(atoms) / box.prod() * shells)
            for name, atoms in oxygens.items()
        }

    @property
    def interval(self):
        return self.times[1] - self.times[0]

    def density(self):
        """g/cm3."""
        return self.universe.atoms.masses.sum() / 0.602214 / self.box.prod()

    def displacement(self, lag):
        """Mean squared displacement of lithium over lag frames, Å2."""
        return ((self.lithium[lag:] - self.lithium[:-lag]) ** 2).sum(axis=2).mean()

    def of_molecules(self, name):
        """Whether any oxygen of each molecule is bound to each lithium, (F, Li, molecules)."""
        molecules = np.unique(self.molecules[name])
        return np.stack([self.bound[name][..., self.molecules[name] == m].any(axis=2) for m in molecules], axis=2)


def unwrapped(positions, box):
    """Paths of (F, N, 3) positions without the jumps of periodic boundaries."""
    steps = np.diff(positions, axis=0)
    steps -= box * np.round(steps / box)
    return np.concatenate([positions[:1], positions[0] + np.cumsum(steps, axis=0)])


def radius_of_gyration(positions, masses, box):
    """Of a chain whose atoms are in the order of their bonds."""
    whole = unwrapped(positions[:, None].astype(float), box)[:, 0]
    centre = np.average(whole, axis=0, weights=masses)
    return np.sqrt(np.average(((whole - centre) ** 2).sum(axis=1), weights=masses))


def correlation(bound, lag):
    """Probability that a neighbour is there lag frames later, left meanwhile or not: 1 at first, 0 once forgotten."""
    kept = (bound[lag:] & bound[:-lag]).sum() / max(bound[:-lag].sum(), 1)
    return (kept - bound.mean()) / (1 - bound.mean())


def residence(bound, interval):
    """Time in which the correlation of (F, ...) contacts falls to 1/e, ps; nan where the trajectory is too short."""
    lags = np.unique(np.geomspace(1, len(bound) // 2, 40).astype(int))
    values = np.array([correlation(bound, lag) for lag in lags])
    if values.min() > np.exp(-1):
        return np.nan
    below = np.argmax(values < np.exp(-1))
    around = slice(max(below - 1, 0), below + 1)
    return interval * np.interp(np.exp(-1), values[around][::-1], lags[around][::-1])


def describe(folder, skip):
    """Lines on one folder."""
    melt = Melt(folder, skip)
    chains = melt.universe.select_atoms("resname PEO")
    mass = chains.masses.sum() / chains.n_residues
    volume = MELT_VOLUME[0] * np.exp(MELT_VOLUME[1] * (temperature(folder) - 273.15))
    expected = np.sqrt(MELT_SIZE * mass / 6)
    half = len(melt.times) // 2
    first, second = melt.gyration[:half], melt.gyration[half:]
    yield f"{folder}: {len(melt.times)} frames, {melt.times[-1] / 1000 - skip:.2f} ns, box {melt.box[0]:.2f} Å"
    yield f"  density {melt.density():.3f} g/cm3 (molten PEO without salt {1 / volume:.3f})"
    yield (
        f"  radius of gyration {melt.gyration.mean():.1f} Å, halves {first.mean():.1f} and {second.mean():.1f}, "
        f"sd of chains {melt.gyration.mean(axis=0).std():.1f} (long chains of molten PEO: {expected:.1f})"
    )
    for name, g in melt.rdf.items():
        coordination = melt.bound[name].sum(axis=2).mean()
        peak = (RDF_EDGES[:-1] + RDF_EDGES[1:])[g.argmax()] / 2
        yield f"  Li-O({name}): first peak {peak:.2f} Å, g = {g.max():.1f}, {coordination:.2f} within {CUTOFF:g} Å"
    polymer = np.concatenate([melt.bound["PEO"], melt.bound["hydroxyl"]], axis=2)
    anions = melt.of_molecules("TFSI").sum(axis=2)
    alone = ~polymer.any(axis=2)
    hydroxyl = melt.bound["hydroxyl"].any(axis=2)
    yield (
        f"  lithium with PEO alone {(anions == 0).mean():.1%}, PEO and TFSI {((anions > 0) & ~alone).mean():.1%}, "
        f"TFSI alone {((anions > 0) & alone).mean():.1%}; with a hydroxyl {hydroxyl.mean():.1%}"
    )
    longest = len(melt.times) // 5
    lags = np.unique([round(t / melt.interval) for t in (10, 100, 1000, 10000) if t < longest * melt.interval])
    row = ", ".join(f"{melt.displacement(lag):.1f} at {lag * melt.interval:.0f} ps" for lag in lags)
    yield f"  mean squared displacement of Li (Å2): {row}"
    rise = melt.displacement(longest) - melt.displacement(longest // 2)
    diffusion = rise / ((longest - longest // 2) * melt.interval) / 6 * 1e-4  # Å2/ps to cm2/s
    yield f"  diffusion coefficient of Li {diffusion:.2g} cm2/s, from {longest * melt.interval / 2000:.2g} ns on"
    for name, what in (("PEO", "chain"), ("TFSI", "ion")):
        atom, molecule = (residence(b, melt.interval) for b in (melt.bound[name], melt.of_molecules(name)))
        yield f"  residence of O({name}) {atom:.3g} ps, of a {name} {what} {molecule:.3g} ps"


def temperature(folder):
    """K, of the thermostat of the first piece."""
    settings = (Path(folder) / "piece_01.mdp").read_text(encoding="utf-8")
    return next(float(line.split("=")[1]) for line in settings.splitlines() if line.startswith("ref-t"))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    for line in describe(sys.argv[1], float((*sys.argv, 0)[2])):
        print(line)


if __name__ == "__main__":
    main()
