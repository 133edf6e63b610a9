"""How often the first coordination shell of a known radial distribution is found, or none where there is none.

Crystals with thermal motion (Gaussian shells), hard spheres (Percus-Yevick, smeared), gases, and curves drawn by hand;
20 draws of noise each. Prints a table in Markdown.
"""

import numpy as np

from gdynet_tf.analysis.structure.first_shell import first_minimum

EDGES = np.arange(161) * 0.05  # Å
R = (EDGES[1:] + EDGES[:-1]) / 2
FCC = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
BCC = [(0, 0, 0), (0.5, 0.5, 0.5)]
NOISES = [("of g", 0.0), ("of g", 0.02), ("of g", 0.05), ("of g", 0.1), ("of counts", 0.05), ("of counts", 0.1)]
DRAWS = 20


def crystal(places, a, sigma):
    """g of a lattice of constant a about the origin, each distance spread by sigma."""
    cells = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm((cells[:, None] + np.array(places)).reshape(-1, 3) * a, axis=1)
    distance = distance[(distance > 0.1) & (distance < 11)]
    fine = np.linspace(0.0025, 7.9975, 1600)
    seen = np.exp(-((fine[:, None] - distance) ** 2) / 2 / sigma**2).sum(axis=1) / np.sqrt(2 * np.pi) / sigma
    return (seen / (4 * np.pi * fine**2 * len(places) / a**3)).reshape(160, 10).mean(axis=1)


def hard_spheres(eta, diameter):
    """Percus-Yevick g of hard spheres of packing fraction eta, smeared by 0.12 Å."""
    rho = 6 * eta / np.pi / diameter**3
    a, b = (1 + 2 * eta) ** 2 / (1 - eta) ** 4, -6 * eta * (1 + eta / 2) ** 2 / (1 - eta) ** 4
    r = np.linspace(1e-4, diameter, 4000)
    direct = -(a + b * (r / diameter) + eta * a / 2 * (r / diameter) ** 3)
    k = np.linspace(0.002, 60, 8000)
    ck = np.array([4 * np.pi * np.trapezoid(r * direct * np.sin(q * r), r) / q for q in k])
    indirect = rho * ck**2 / (1 - rho * ck)
    x = np.linspace(0.02, 8, 400)
    g = np.array([np.trapezoid(k * indirect * np.sin(k * one), k) / (2 * np.pi**2 * one) for one in x]) + 1
    g[x < diameter] = 0
    kernel = np.exp(-((np.arange(-20, 21) * 0.02) ** 2) / 2 / 0.12**2)
    return np.interp(R, x, np.convolve(np.pad(g, 20, mode="edge"), kernel / kernel.sum(), "valid"))


def step(r, width):
    return 1 / (1 + np.exp((r - R) / width))


def bump(center, width, height):
    return height * np.exp(-(((R - center) / width) ** 2))


def hump(peak, dip):
    """Atoms of a chain about a large molecule: a broad hump and a slight dip behind it."""
    return step(3.2, 0.25) * (1 + bump(5.3, 0.9, peak - 1) - bump(7.2, 0.6, 1 - dip))


def cases():
    """Name -> g without noise, and the range in which the shell ends; None: there is none."""
    return {
        "FCC, 0.12 Å": (crystal(FCC, 4.05, 0.12), (3.2, 3.75)),
        "FCC, 0.22 Å": (crystal(FCC, 4.05, 0.22), (3.35, 3.6)),
        "BCC, 0.09 Å": (crystal(BCC, 2.87, 0.09), (3.2, 3.75)),
        "hard spheres, 0.45": (hard_spheres(0.45, 2.5), (3.65, 3.95)),
        "hard spheres, 0.35": (hard_spheres(0.35, 2.8), (4.4, 4.75)),
        "ripple before the shell": (
            step(3, 0.2)
            * (1 + bump(3.6, 0.4, 0.12) - bump(4.3, 0.4, 0.15) + bump(5.5, 0.5, 1.2) - bump(6.6, 0.5, 0.45)),
            (6.45, 6.8),
        ),
        "split peak": (
            step(2.6, 0.1)
            * (1 + bump(3.0, 0.2, 0.9) + bump(3.6, 0.3, 2.2) - bump(4.7, 0.6, 0.65) + bump(6.2, 0.8, 0.3)),
            (4.5, 4.85),
        ),
        "ideal gas": (np.ones_like(R), None),
        "dilute Lennard-Jones gas": (np.exp(-4 * ((3.4 / R) ** 12 - (3.4 / R) ** 6) / 1.5), None),
        "hump of 1.10, dip of 0.97": (hump(1.1, 0.97), None),
        "hump of 1.20, dip of 0.95": (hump(1.2, 0.95), None),
        "hump of 1.25, dip of 0.92": (hump(1.25, 0.92), None),
    }


def right_answers(g, expected, kind, noise):
    """Share of draws, %."""
    rng = np.random.default_rng(1)
    spread = noise * (g if kind == "of g" else np.sqrt(g) * np.minimum(3 / R, 3))  # counts grow with r^2
    found = np.array([first_minimum(EDGES, np.maximum(g + spread * rng.normal(size=g.shape), 0)) for _ in range(DRAWS)])
    right = np.isnan(found) if expected is None else (found >= expected[0]) & (found <= expected[1])
    return 100 * right.mean()


def main():
    print("| " + " | ".join(["g(r)", *(f"{100 * noise:g} % {kind}" for kind, noise in NOISES)]) + " |")
    print("|---" * (1 + len(NOISES)) + "|")
    for name, (g, expected) in cases().items():
        print("| " + " | ".join([name, *(f"{right_answers(g, expected, *noise):.0f}" for noise in NOISES)]) + " |")


if __name__ == "__main__":
    main()
