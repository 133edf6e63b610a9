"""Do the intervals of motion and surroundings hold the truth? Cases for `calibration.py`, whose options this takes too.

    python benchmarks/calibration_transport.py [--repetitions 200] [--write docs/calibration_transport.md] [kind ...]

Kinds that are done, in --out, are kept.
"""

from dataclasses import dataclass, replace

import calibration
import numpy as np
from calibration import Case
from scipy.linalg import expm
from scipy.signal import lfilter
from scipy.special import ndtr

import gdynet_tf.analysis as ga
from gdynet_tf.trajectory import unwrap

D = 0.5  # Å^2 per frame, of everything that only diffuses


def brownian(n_frames, n_targets, rng, diffusivity=D):
    return rng.normal(0, np.sqrt(2 * diffusivity), (n_frames, n_targets, 3)).cumsum(axis=0)


def rattle(n_frames, n_targets, width, memory, rng):
    """Ornstein-Uhlenbeck displacements: a soft cage that is forgotten within ``memory`` frames."""
    keep = np.exp(-1 / memory)
    noise = width * rng.normal(size=(n_frames, n_targets, 3))
    noise[1:] *= np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise, axis=0)


# --- tracer diffusion --------------------------------------------------------------------------


@dataclass(frozen=True)
class Tracers:
    """Targets that diffuse, maybe out of a cage, in one or several trajectories."""

    lengths: tuple
    n_targets: int
    cage: tuple = (0.0, 1.0)  # width, memory
    diffusivity: float = D
    together: float = 0.0  # share of the steps that all targets make alike

    def draw(self, n, rng):
        for _ in range(n):
            yield [self.paths(length, rng) for length in self.lengths]

    def paths(self, length, rng):
        own = brownian(length, self.n_targets, rng, self.diffusivity * (1 - self.together))
        shared = brownian(length, 1, rng, self.diffusivity * self.together)
        return own + shared + rattle(length, self.n_targets, *self.cage, rng)

    def truth(self):
        width, memory = self.cage
        lag = self.lag
        return {
            "D": np.array([self.diffusivity]),
            "MSD": np.array([6 * self.diffusivity * lag + 6 * width**2 * (1 - np.exp(-lag / memory))]),
        }

    @property
    def lag(self):
        return max(self.lengths) // 20

    def measure(self, paths):
        msd = ga.mean_squared_displacement(paths, max(self.lengths) // 10)
        one = [np.array([getattr(msd.msd, name)[self.lag]]) for name in ("value", "lower", "upper")]
        return {"D": one_row(ga.tracer_diffusivity(msd).diffusivity), "MSD": tuple(one)}


def one_row(estimate):
    return replace(estimate, **{name: np.atleast_1d(getattr(estimate, name)) for name in ("value", "lower", "upper")})


@dataclass(frozen=True)
class BreathingCell(Tracers):
    """The same in a triclinic cell that fluctuates, wrapped as a file has it."""

    def draw(self, n, rng):
        cell = np.array([[9.0, 0, 0], [2, 8, 0], [-1.5, 1, 10]])
        for _ in range(n):
            strain = 0.02 * rattle(self.lengths[0], 1, 1.0, 20.0, rng)[:, 0]
            lattices = cell * (1 + strain)[..., None]
            steps = np.diff(self.paths(self.lengths[0], rng), axis=0, prepend=0)
            fractional = rng.random((self.n_targets, 3)) + (steps @ np.linalg.inv(lattices)).cumsum(axis=0)
            positions = unwrap((fractional % 1) @ lattices, lattices)
            numbers = np.full(self.n_targets, 3)
            yield ga.System(positions, lattices, numbers, np.arange(self.n_targets)[:, None]).target_paths([])


# --- transitions and conductivity --------------------------------------------------------------


@dataclass(frozen=True)
class Switching:
    """Two states with diffusivities of their own, at a lag time of half their relaxation."""

    lengths: tuple
    n_targets: int
    rates: tuple = (0.06, 0.1)
    diffusivities: tuple = (0.05, 1.0)
    tau: int = 4
    substeps: int = 6

    def draw(self, n, rng):
        every = [self.one(length, self.n_targets * n, rng) for length in self.lengths]  # of all draws at once
        for k in range(n):
            part = slice(k * self.n_targets, (k + 1) * self.n_targets)
            yield [(np.eye(2)[states[:, part]], positions[:, part]) for states, positions in every]

    def one(self, length, n_targets, rng):
        Q = np.array([[-self.rates[0], self.rates[0]], [self.rates[1], -self.rates[1]]])
        jump, each = expm(Q / self.substeps), np.asarray(self.diffusivities)
        state = (rng.random(n_targets) < self.rates[0] / sum(self.rates)).astype(int)
        x, states, positions = np.zeros((n_targets, 3)), [], []
        for _ in range(length):
            states.append(state)
            positions.append(x)
            for _ in range(self.substeps):
                after = (rng.random(n_targets) < jump[state, 1]).astype(int)
                mean = (each[state] + each[after]) / 2
                x = x + np.sqrt(2 * mean / self.substeps)[:, None] * rng.normal(size=x.shape)
                state = after
        return np.array(states), np.array(positions)

    def truth(self):
        Q = np.array([[-self.rates[0], self.rates[0]], [self.rates[1], -self.rates[1]]])
        block = np.block([[Q, np.diag(self.diffusivities)], [np.zeros((2, 2)), Q]])

        def E(t):
            whole = expm(block * t)
            return 6 * whole[:2, 2:] / whole[:2, :2]

        window = np.arange(self.tau - 1, self.tau + 2)  # of the straight line
        slopes = (E(window[-1]) - E(window[0])) / 12
        pi = np.array(self.rates)[::-1] / sum(self.rates)
        K = expm(Q * self.tau)
        flux, exact = (pi[:, None] * K * one for one in (slopes, E(self.tau) / (6 * self.tau)))
        return {
            "E_ij": E(self.tau),
            "D_ij": slopes,
            "flux": flux,
            "exact flux": exact,
            "conductivity": np.array([self.sigma(flux)]),
            "exact conductivity": np.array([self.sigma(exact)]),
        }

    def sigma(self, flux):
        from gdynet_tf.analysis.transport.conductivity import conductivity_factor

        return 2 * (flux * [[2.0, 1.0], [1.0, 0.0]]).sum() * conductivity_factor(self.n_targets, 5000, 300, "ps")

    def measure(self, data):
        chi = ga.Chi([p for p, _ in data], self.tau, time_unit="ps", trajectories=range(len(data)))
        found = ga.transition_transport(chi, [x for _, x in data])
        at = int(np.flatnonzero(found.lags == self.tau)[0])
        sigma = ga.cluster_nernst_einstein(found, [2.0, 0.0], 5000, 300, target_charge=2.0)
        E = found.displacement
        return {
            "E_ij": replace(E, value=E.value[at], lower=E.lower[at], upper=E.upper[at]),
            "D_ij": found.diffusivity,
            "flux": found.flux,
            "exact flux": found.exact_flux,
            "conductivity": one_row(sigma.total),
            "exact conductivity": one_row(sigma.exact_total),
        }


# --- surroundings ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Neighbours:
    """Each target has an atom 2 Å away or, half of the time, 5 Å; the states know of it or are noise."""

    n_frames: int
    n_targets: int
    rate: float
    known: bool = False

    def draw(self, n, rng):
        place = np.stack(np.meshgrid(*[np.arange(8) * 12.0] * 3), axis=-1).reshape(-1, 3)[: self.n_targets]
        cells = np.tile(np.eye(3) * 96.0, (self.n_frames, 1, 1))
        for _ in range(n):
            flips = rng.random((self.n_frames, self.n_targets)) < self.rate
            near = (flips.cumsum(axis=0) + rng.integers(0, 2, self.n_targets)) % 2 == 1
            positions = np.tile(place, (self.n_frames, 2, 1))
            positions[:, self.n_targets :, 0] += np.where(near, 2.0, 5.0)
            noise = rng.random((self.n_frames, self.n_targets))
            p = np.where(near, 0.8, 0.2) if self.known else noise
            numbers = np.repeat([3, 16], self.n_targets)
            system = ga.System(positions, cells, numbers, np.arange(self.n_targets)[:, None])
            yield ga.Chi([np.stack([p, 1 - p], axis=-1)], tau=2), system

    def truth(self):
        near = np.array([0.8, 0.2]) if self.known else np.array([0.5, 0.5])
        return {"coordination number": near, "charge": 1 - 2 * near}

    def measure(self, data):
        chi, system = data
        rdf = ga.radial_distribution(chi, system, r_max=6.0, bin_width=0.5, max_frames=1000)
        charges = np.repeat([1.0, -2.0], self.n_targets)
        charge = ga.charge_integral(chi, system, charges, r_max=6.0, bin_width=0.5, max_frames=1000)
        k = rdf.pairs.index(("Li", "S"))
        coordination = (rdf.coordination, rdf.coordination_lower, rdf.coordination_upper)
        within = (charge.charge, charge.lower, charge.upper)
        return {
            "coordination number": ga.Estimate(*(a[:, k, 5] for a in coordination), basis=rdf.bases[k]),
            "charge": ga.Estimate(*(a[:, 6] for a in within), basis=charge.basis),
        }


@dataclass(frozen=True)
class Profile:
    """Targets that wander along a cell of 10 Å; the state depends on the half that they are in."""

    n_frames: int
    n_targets: int
    relaxation: float  # of the place, frames
    shares = np.array([[0.8, 0.2], [0.3, 0.7]])  # of the states, in each half

    def draw(self, n, rng):
        step = np.sqrt(2 * (10 / (2 * np.pi)) ** 2 / self.relaxation)
        cells = np.tile(np.eye(3) * 10.0, (self.n_frames, 1, 1))
        for _ in range(n):
            positions = np.full((self.n_frames, self.n_targets, 3), 5.0)
            steps = step * rng.normal(size=(self.n_frames, self.n_targets))
            positions[..., 2] = (10 * rng.random(self.n_targets) + steps.cumsum(axis=0)) % 10
            first = rng.random((self.n_frames, self.n_targets)) < self.shares[(positions[..., 2] // 5).astype(int), 0]
            targets = np.arange(self.n_targets)[:, None]
            system = ga.System(positions, cells, np.full(self.n_targets, 3), targets)
            yield ga.Chi([np.stack([first, ~first], axis=-1).astype(float)], tau=2), system

    def truth(self):
        by_bin = np.repeat(self.shares.T, 2, axis=1)  # (n_states, four bins)
        return {"density": by_bin * self.n_targets / 10, "fraction": by_bin}

    def measure(self, data):
        found = ga.population_profile(*data, axis=2, bin_width=2.5)
        return {
            "density": ga.Estimate(found.density, found.lower, found.upper, found.basis),
            "fraction": ga.Estimate(found.fraction, found.fraction_lower, found.fraction_upper, found.basis),
        }


@dataclass(frozen=True)
class Order:
    """Two states with different means of a bond-order parameter, which remembers its own deviation from them."""

    n_frames: int
    n_targets: int
    relaxation: float = 20.0  # of the states, frames
    memory: float = 5.0  # of the deviation, frames
    means = np.array([0.35, 0.6])
    edges = np.array([0.2, 0.4, 0.55, 0.8])

    def draw(self, n, rng):
        P = expm(np.array([[-0.5, 0.5], [0.5, -0.5]]) / self.relaxation)
        for states in calibration.walk(P, self.n_frames, (n, self.n_targets), rng).swapaxes(0, 1):
            deviation = rattle(self.n_frames, self.n_targets, 0.1, self.memory, rng)[..., 0]
            yield ga.Chi([np.eye(2)[states]], tau=5), self.means[states] + deviation

    def truth(self):
        below = ndtr((self.edges - self.means[:, None]) / 0.1)
        return {"mean bond order": self.means, "density of bond order": np.diff(below) / np.diff(self.edges)}

    def measure(self, data):
        found = ga.state_distribution(data[1], data[0], self.edges)
        return {
            "mean bond order": ga.Estimate(found.mean, found.mean_lower, found.mean_upper, found.basis),
            "density of bond order": ga.Estimate(found.density, found.lower, found.upper, found.basis),
        }


KINDS = {
    "one tracer": Tracers((2000,), 1),
    "one tracer, short": Tracers((300,), 1),
    "eight tracers": Tracers((1000,), 8, diffusivity=0.02),
    "two hundred tracers": Tracers((300,), 200, diffusivity=3.0),
    "tracers that move together": Tracers((400,), 30, together=0.5),
    "tracers out of a cage": Tracers((1000,), 20, cage=(1.0, 5.0)),
    "tracers in a cage for most of the time": Tracers((400,), 20, cage=(3.0, 30.0)),
    "unequal trajectories of tracers": Tracers((60, 90, 150, 300, 600, 1200), 3),
    "tracers in a breathing cell": BreathingCell((1500,), 6, diffusivity=0.1),
    "switching diffusivity, one target": Switching((6000,), 1),
    "switching diffusivity, many targets": Switching((300,), 40),
    "switching diffusivity, unequal trajectories": Switching((100, 200, 400, 800, 1600, 3200), 1),
    "coordination that exchanges slowly": Neighbours(1000, 2, 0.02),
    "coordination that exchanges slowly, many targets": Neighbours(300, 40, 0.01),
    "coordination that the states know": Neighbours(1000, 4, 0.02, known=True),
    "coordination that never changes": Neighbours(200, 40, 0.0),
    "profile, one target": Profile(10_000, 1, 50.0),
    "profile, many targets": Profile(300, 40, 50.0),
    "profile, targets that stay": Profile(300, 40, 1000.0),
    "bond order": Order(8000, 1),
    "bond order, many targets": Order(300, 40),
    "bond order that is remembered": Order(20_000, 1, 20.0, 200.0),
    "bond order that is remembered, many targets": Order(300, 40, 20.0, 500.0),
}
CASES = {name: Case(draw=kind.draw, truth=kind.truth, measure=kind.measure) for name, kind in KINDS.items()}

if __name__ == "__main__":
    calibration.main(CASES)
