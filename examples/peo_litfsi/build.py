"""Topology and first coordinates of LiTFSI in poly(ethylene oxide), for GROMACS.

python examples/peo_litfsi/build.py FOLDER [SEED]

Writes FOLDER/topol.top and FOLDER/packed.gro: chains HO-(CH2CH2O)n-H, lithium and TFSI in a loose box.
Needs packmol on the path.

Force field
-----------
PEO
    OPLS-AA ethers and primary alcohols, as distributed with GROMACS (oplsaa.ff). W. L. Jorgensen, D. S. Maxwell,
    J. Tirado-Rives, J. Am. Chem. Soc. 118, 11225 (1996).
TFSI
    J. N. Canongia Lopes, A. A. H. Pádua, J. Phys. Chem. B 108, 16893 (2004): same functional form and mixing rules.
Li+
    J. Åqvist, J. Phys. Chem. 94, 8021 (1990), the Li+ of OPLS-AA (opls_406).

The charges of the ions are scaled by CHARGE_SCALE. A force field without polarization lacks the electronic screening of
the charges, a factor of about 1/n of the refractive index n = 1.45 (I. Leontyev, A. Stuchebrukhov, Phys. Chem. Chem.
Phys. 13, 2613 (2011)): with whole charges salts move too slowly by an order of magnitude; 0.7 to 0.8 is common.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

# Li/EO = 0.05 as in the paper. The chains are as long as the box allows: about 27 Å, twice their radius of gyration,
# so that a chain coils without meeting its own image more often than other chains.
N_CHAINS = 10
N_UNITS = 24
N_SALT = 12
CHARGE_SCALE = 0.75
HYDROGEN_MASS = (
    3.024  # u, taken from the heavy neighbour: slower vibrations allow steps of 3 fs, averages stay the same
)
LOOSE_BOX = 75.0  # Å: packmol moves rigid coils, which fit only loosely; the pressure of `compress.mdp` does the rest

# type: (bonded type, atomic number, mass, charge, sigma nm, epsilon kJ/mol)
TFSI_TYPES = {
    "tfsi_F": ("FB", 9, 18.998, -0.16, 0.295, 0.22175),
    "tfsi_C": ("CF", 6, 12.011, 0.35, 0.350, 0.27614),
    "tfsi_S": ("SB", 16, 32.066, 1.02, 0.355, 1.04600),
    "tfsi_O": ("OB", 8, 15.999, -0.53, 0.296, 0.87864),
    "tfsi_N": ("NB", 7, 14.007, -0.66, 0.325, 0.71128),
}
TFSI_BONDED = """
[ bondtypes ]  ; nm, kJ/mol/nm2
FB CF  1  0.1323  369800
CF SB  1  0.1818  195000
SB OB  1  0.1437  533100
NB SB  1  0.1570  313700

[ angletypes ]  ; degrees, kJ/mol/rad2
FB CF FB  1  107.1  781
FB CF SB  1  111.7  694
OB SB OB  1  118.5  969
CF SB OB  1  102.6  870
NB SB OB  1  113.6  789
NB SB CF  1  103.5  764
SB NB SB  1  125.6  671

[ dihedraltypes ]  ; V1 to V4, kJ/mol
OB SB CF FB  5   0.000    0.000   1.451  0
NB SB CF FB  5   0.000    0.000   1.322  0
OB SB NB SB  5   0.000    0.000  -0.015  0
SB NB SB CF  5  32.773  -10.420  -3.195  0
"""


class Molecule:
    """Atoms placed one after the other, each by a bond, an angle and a dihedral to atoms before it.

    Attributes
    ----------
    types, names, charges, masses : list
        Of the force field and of the elements, one entry an atom.
    bonds : list of (int, int)
    positions : list of (3,) arrays
        Å.
    """

    def __init__(self):
        self.types, self.names, self.charges, self.masses, self.bonds, self.positions = [], [], [], [], [], []

    def add(self, kind, to=(), distance=0.0, angle=0.0, dihedral=0.0):
        """Add an atom of a kind (type, name, charge, mass).

        Parameters
        ----------
        kind : tuple
        to : sequence of int
            Up to three atoms: the one it is bound to, that of the angle, that of the dihedral.
        distance : float
            Å.
        angle, dihedral : float
            Degrees.

        Returns
        -------
        int
            Index of the atom.
        """
        for values, value in zip((self.types, self.names, self.charges, self.masses), kind, strict=True):
            values.append(value)
        anchors = [self.positions[i] for i in to]
        for missing in ((0, 0, 0), (0, 0, -1), (0, 1, -1))[len(anchors) :]:
            anchors.append((anchors[0] if anchors else 0) + np.array(missing, float))
        self.positions.append(placed(anchors, distance, np.radians(angle), np.radians(dihedral)))
        atom = len(self.types) - 1
        if to:
            self.bonds.append((to[0], atom))
        return atom

    def heavy_hydrogens(self):
        """Move mass from the heavy atoms to their hydrogens."""
        for heavy, atom in self.bonds:
            if self.names[atom] == "H":
                self.masses[heavy] -= HYDROGEN_MASS - self.masses[atom]
                self.masses[atom] = HYDROGEN_MASS

    def paths(self, n_bonds):
        """Chains of n_bonds bonds, each once."""
        neighbours = {i: [] for i in range(len(self.types))}
        for i, j in self.bonds:
            neighbours[i].append(j)
            neighbours[j].append(i)
        paths = [(i,) for i in neighbours]
        for _ in range(n_bonds):
            paths = [(*path, i) for path in paths for i in neighbours[path[-1]] if i not in path]
        return [path for path in paths if path[0] < path[-1]]

    def topology(self, name, dihedral_function):
        """Lines of a GROMACS [ moleculetype ]; the parameters come from the types."""
        lines = ["", "[ moleculetype ]", f"{name} 3", "", "[ atoms ]"]
        atoms = zip(self.types, self.names, self.charges, self.masses, strict=True)
        for i, (kind, element, charge, mass) in enumerate(atoms, 1):
            lines.append(f"{i} {kind} 1 {name} {element} {i} {charge:.6f} {mass:.4f}")
        sections = (("bonds", 1, 1), ("pairs", 3, 1), ("angles", 2, 1), ("dihedrals", 3, dihedral_function))
        for section, n_bonds, function in sections:
            if paths := self.paths(n_bonds):
                lines += ["", f"[ {section} ]"]
                for path in paths:
                    ends = (path[0], path[-1]) if section == "pairs" else path
                    lines.append(" ".join(str(i + 1) for i in ends) + f" {function}")
        return lines


def placed(anchors, distance, angle, dihedral):
    """Position at a distance from anchors[0], an angle to anchors[1] and a dihedral to anchors[2]."""
    first, second, third = anchors
    along = (first - second) / np.linalg.norm(first - second)
    normal = np.cross(second - third, along)
    normal /= np.linalg.norm(normal)
    across = np.cross(normal, along)
    direction = np.array([-np.cos(angle), np.sin(angle) * np.cos(dihedral), np.sin(angle) * np.sin(dihedral)])
    return first + distance * direction @ np.array([along, across, normal])


def random_walk(backbone, generator):
    """Oxygens and carbons of a chain: C-O bonds mostly trans, C-C bonds gauche, as in the melt."""
    chain = Molecule()
    for i, kind in enumerate(backbone):
        # The bond that turns is the one before the last: C-C where an oxygen is added.
        turn = generator.choice([-70, 70]) if i % 3 == 0 else generator.choice([180, 180, 180, -80, 80])
        chain.add(kind, range(i - 1, max(i - 4, -1), -1), 1.529 if i % 3 == 2 else 1.41, 110.0, turn)
    return chain


def poly_ethylene_oxide(n_units, generator):
    """HO-(CH2CH2O)n-H as a random coil."""
    carbon, ether = ("opls_182", "C", 0.14, 12.011), ("opls_180", "O", -0.40, 15.9994)
    end_carbon, hydroxyl = ("opls_157", "C", 0.145, 12.011), ("opls_154", "O", -0.683, 15.9994)
    hydrogen, end_hydrogen = ("opls_185", "H", 0.03, 1.008), ("opls_140", "H", 0.06, 1.008)
    hydroxyl_hydrogen = ("opls_155", "H", 0.418, 1.008)
    backbone = [hydroxyl, *[carbon, carbon, ether] * n_units]
    backbone[1], backbone[-2], backbone[-1] = end_carbon, end_carbon, hydroxyl
    far = np.triu_indices(len(backbone), 5)
    while True:  # until no two distant atoms of the backbone touch
        chain = random_walk(backbone, generator)
        positions = np.array(chain.positions)
        if np.linalg.norm(positions[far[0]] - positions[far[1]], axis=1).min() > 3.2:
            break
    for i, kind in enumerate(backbone):
        if kind[1] == "C":
            for turn in (120, -120):
                bound = end_hydrogen if kind is end_carbon else hydrogen
                chain.add(bound, (i, i - 1, i + 1), 1.09, 109.5, turn)
    last = len(backbone) - 1
    chain.add(hydroxyl_hydrogen, (0, 1, 2), 0.945, 108.5, 180)
    chain.add(hydroxyl_hydrogen, (last, last - 1, last - 2), 0.945, 108.5, 180)
    return chain


def tfsi():
    """(CF3SO2)2N-, its two CF3 on opposite sides."""
    kinds = {name[-1]: (name, name[-1], row[3] * CHARGE_SCALE, row[2]) for name, row in TFSI_TYPES.items()}
    ion = Molecule()
    nitrogen = ion.add(kinds["N"])
    first = ion.add(kinds["S"], (nitrogen,), 1.57)
    second = ion.add(kinds["S"], (nitrogen, first), 1.57, 125.6)
    for sulfur, other in ((first, second), (second, first)):
        carbon = ion.add(kinds["C"], (sulfur, nitrogen, other), 1.818, 103.5, 90)
        for turn in (120, -120):
            ion.add(kinds["O"], (sulfur, nitrogen, carbon), 1.437, 113.6, turn)
        for turn in (60, 180, -60):
            ion.add(kinds["F"], (carbon, sulfur, nitrogen), 1.323, 111.7, turn)
    return ion


def lithium():
    """Li+, with its scaled charge."""
    ion = Molecule()
    ion.add(("opls_406", "Li", CHARGE_SCALE, 6.941))
    return ion


def write_topology(path, molecules):
    """GROMACS topology of molecules, {name: (molecule, number)}; whole charge must be zero."""
    charge = sum(number * sum(molecule.charges) for molecule, number in molecules.values())
    if abs(charge) > 1e-6:
        sys.exit(f"error: the topology has a charge of {charge:g}")
    lines = ['#include "oplsaa.ff/forcefield.itp"', "", "[ atomtypes ]"]
    for name, (bonded, number, mass, charge, sigma, epsilon) in TFSI_TYPES.items():
        lines.append(f"{name} {bonded} {number} {mass} {charge} A {sigma} {epsilon}")
    lines += TFSI_BONDED.rstrip().split("\n")
    for name, (molecule, _) in molecules.items():
        # OPLS-AA as distributed has Ryckaert-Bellemans dihedrals (3), those of TFSI are Fourier series (5).
        lines += molecule.topology(name, 5 if name == "TFSI" else 3)
    lines += ["", "[ system ]", "LiTFSI in poly(ethylene oxide)", "", "[ molecules ]"]
    lines += [f"{name} {number}" for name, (_, number) in molecules.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_xyz(path, molecule):
    lines = [str(len(molecule.names)), ""]
    rows = zip(molecule.names, molecule.positions, strict=True)
    lines += [f"{name} {x:.4f} {y:.4f} {z:.4f}" for name, (x, y, z) in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pack(folder, copies, seed):
    """Positions of all atoms, (N, 3) Å, in a box of LOOSE_BOX; copies: pairs of (molecule, number)."""
    lines = ["tolerance 2.0", "filetype xyz", "nloop 10", "output packed.xyz"]
    for i, (molecule, number) in enumerate(copies):
        write_xyz(folder / f"molecule{i}.xyz", molecule)
        inside = f"inside box 0 0 0 {LOOSE_BOX} {LOOSE_BOX} {LOOSE_BOX}"
        lines += [f"structure molecule{i}.xyz", f"number {number}", inside, "end structure"]
    for attempt in range(20):  # two coils can start so entangled that no packing is found
        (folder / "packmol.inp").write_text("\n".join([f"seed {20 * seed + attempt}", *lines, ""]), encoding="utf-8")
        with open(folder / "packmol.inp", encoding="utf-8") as given, open(folder / "packmol.log", "w") as log:
            if subprocess.run(["packmol"], stdin=given, stdout=log, stderr=log, cwd=folder).returncode == 0:
                return np.loadtxt(folder / "packed.xyz", skiprows=2, usecols=(1, 2, 3))
    sys.exit(f"error: packmol found no packing; see {folder / 'packmol.log'}")


def write_gro(path, copies, positions):
    """Coordinates for GROMACS; the box leaves 2 Å between the packed atoms and their images."""
    rows, residue = [], 0
    for name, molecule, number in copies:
        for _ in range(number):
            residue += 1
            rows += [(residue, name, element) for element in molecule.names]
    lines = ["LiTFSI in poly(ethylene oxide)", str(len(rows))]
    for i, ((residue, name, element), xyz) in enumerate(zip(rows, positions / 10, strict=True), 1):
        lines.append(f"{residue:5d}{name:<5}{element:>5}{i:5d}" + "".join(f"{x:8.3f}" for x in xyz))
    lines.append(" ".join([f"{LOOSE_BOX / 10 + 0.2:.3f}"] * 3))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder, seed = Path(sys.argv[1]), int((*sys.argv, 1)[2])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    chains = [poly_ethylene_oxide(N_UNITS, generator) for _ in range(N_CHAINS)]
    copies = [*[("PEO", chain, 1) for chain in chains], ("LI", lithium(), N_SALT), ("TFSI", tfsi(), N_SALT)]
    positions = pack(folder, [copy[1:] for copy in copies], seed)
    write_gro(folder / "packed.gro", copies, positions)
    chains[0].heavy_hydrogens()
    molecules = {"PEO": (chains[0], N_CHAINS), "LI": (lithium(), N_SALT), "TFSI": (tfsi(), N_SALT)}
    write_topology(folder / "topol.top", molecules)
    print(f"{folder}: {len(positions)} atoms, {N_CHAINS} chains of {N_UNITS} units, {N_SALT} LiTFSI")


if __name__ == "__main__":
    main()
