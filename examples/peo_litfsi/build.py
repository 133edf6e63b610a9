"""Topology and first coordinates of LiTFSI in poly(ethylene oxide), for GROMACS.

python examples/peo_litfsi/build.py FOLDER [SEED]

Writes FOLDER/topol.top and FOLDER/packed.gro: chains HO-(CH2CH2O)n-H, lithium and TFSI in a periodic box.

The chains grow around the ions, with the dihedrals of the melt, at two thirds of its density. Packing finished coils,
as packmol does, needs a loose box, whose compression balls them up (a radius of gyration of 8 to 9 Å afterwards, 11 Å
here), and that takes nanoseconds to recover.

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

import sys
from pathlib import Path

import numpy as np

# Li/EO = 0.05 as in the paper. The chains are as long as the box allows: about 28 Å when compressed, more than twice
# their radius of gyration, so that a chain meets other chains rather than its own images.
N_CHAINS = 10
N_UNITS = 24
N_SALT = 12
CHARGE_SCALE = 0.75
HYDROGEN_MASS = 3.024  # u, taken from the heavy neighbour: steps of 3 fs become possible, averages stay the same
BOX = 32.0  # Å, before compression
CLEAR = 2.6  # Å between atoms, other than hydrogen, that are not neighbours on a chain

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

    Parameters
    ----------
    generator : np.random.Generator
        Chooses where in the box the first atom lies and how the molecule is turned.

    Attributes
    ----------
    types, names, charges, masses : list
        Of the force field and of the elements, one entry an atom.
    bonds : list of (int, int)
    positions : list of (3,) arrays
        Å.
    """

    def __init__(self, generator):
        self.types, self.names, self.charges, self.masses, self.bonds, self.positions = [], [], [], [], [], []
        # Three places before the first atom, for the atoms that lack neighbours to be placed by
        turn = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        self._before = generator.uniform(0, BOX, 3) + np.array([[0, 0, 0], [0, 0, -1], [0, 1, -1]]) @ turn

    def place(self, to=(), distance=0.0, angle=0.0, dihedral=0.0):
        """Position at a distance (Å), an angle and a dihedral (degrees) from up to three atoms."""
        first, second, third = [*(self.positions[i] for i in to), *self._before[len(to) :]]
        if len(to) == 1:
            second, third = first + self._before[1:] - self._before[0]
        elif len(to) == 2:
            third = second + self._before[2] - self._before[1]
        along = (first - second) / np.linalg.norm(first - second)
        normal = np.cross(second - third, along)
        normal /= np.linalg.norm(normal)
        angle, dihedral = np.radians([angle, dihedral])
        turned = np.cos(dihedral) * np.cross(normal, along) + np.sin(dihedral) * normal
        return first + distance * (np.sin(angle) * turned - np.cos(angle) * along)

    def add(self, kind, to=(), *internal):
        """Add an atom of a kind (type, name, charge, mass), placed by, and bound to the first of, the atoms `to`."""
        self.positions.append(self.place(to, *internal))
        for values, value in zip((self.types, self.names, self.charges, self.masses), kind, strict=True):
            values.append(value)
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


def is_free(positions, taken):
    """Whether positions are CLEAR of those taken, (N, 3) Å, and of their images."""
    apart = np.reshape(positions, (-1, 1, 3)) - taken
    apart -= BOX * np.round(apart / BOX)
    return np.all((apart**2).sum(axis=2) > CLEAR**2)


def poly_ethylene_oxide(generator, taken):
    """HO-(CH2CH2O)n-H grown as a random coil among the atoms taken; None where it came to a dead end."""
    carbon, ether = ("opls_182", "C", 0.14, 12.011), ("opls_180", "O", -0.40, 15.9994)
    end_carbon, hydroxyl = ("opls_157", "C", 0.145, 12.011), ("opls_154", "O", -0.683, 15.9994)
    hydrogen, end_hydrogen = ("opls_185", "H", 0.03, 1.008), ("opls_140", "H", 0.06, 1.008)
    hydroxyl_hydrogen = ("opls_155", "H", 0.418, 1.008)
    backbone = [hydroxyl, *[carbon, carbon, ether] * N_UNITS]
    backbone[1], backbone[-2], backbone[-1] = end_carbon, end_carbon, hydroxyl
    chain = Molecule(generator)
    for i, kind in enumerate(backbone):
        to, length = range(i - 1, max(i - 4, -1), -1), 1.529 if i % 3 == 2 else 1.41
        for _ in range(20):
            # The bond that turns is the one before: C-C, mostly gauche, where an oxygen comes, else C-O, mostly trans
            turn = generator.choice([-75, -75, 75, 75, 180] if i % 3 == 0 else [180, 180, 180, 180, -90, 90])
            turn = generator.normal(turn, 10)
            place = chain.place(to, length, 112, turn)
            if is_free(place, taken) and is_free(place, np.reshape(chain.positions[: max(i - 3, 0)], (-1, 3))):
                break
        else:
            return None
        chain.add(kind, to, length, 112, turn)
    for i, kind in enumerate(backbone):
        if kind[1] == "C":
            for turn in (120, -120):
                chain.add(end_hydrogen if kind is end_carbon else hydrogen, (i, i - 1, i + 1), 1.09, 109.5, turn)
    last = len(backbone) - 1
    chain.add(hydroxyl_hydrogen, (0, 1, 2), 0.945, 108.5, 180)
    chain.add(hydroxyl_hydrogen, (last, last - 1, last - 2), 0.945, 108.5, 180)
    return chain


def tfsi(generator, taken):
    """(CF3SO2)2N-, its two CF3 on opposite sides; None where there is no room."""
    kinds = {name[-1]: (name, name[-1], row[3] * CHARGE_SCALE, row[2]) for name, row in TFSI_TYPES.items()}
    ion = Molecule(generator)
    nitrogen = ion.add(kinds["N"])
    first = ion.add(kinds["S"], (nitrogen,), 1.57)
    second = ion.add(kinds["S"], (nitrogen, first), 1.57, 125.6)
    for sulfur, other in ((first, second), (second, first)):
        carbon = ion.add(kinds["C"], (sulfur, nitrogen, other), 1.818, 103.5, 90)
        for turn in (120, -120):
            ion.add(kinds["O"], (sulfur, nitrogen, carbon), 1.437, 113.6, turn)
        for turn in (60, 180, -60):
            ion.add(kinds["F"], (carbon, sulfur, nitrogen), 1.323, 111.7, turn)
    return ion if is_free(ion.positions, taken) else None


def lithium(generator, taken):
    """Li+; None where there is no room."""
    ion = Molecule(generator)
    ion.add(("opls_406", "Li", CHARGE_SCALE, 6.941))
    return ion if is_free(ion.positions, taken) else None


def packed(generator):
    """Molecules in the box, {name: list of Molecule}; the largest of the rigid ones first."""
    molecules, taken = {}, np.empty((0, 3))
    for name, make, number in (("TFSI", tfsi, N_SALT), ("LI", lithium, N_SALT), ("PEO", poly_ethylene_oxide, N_CHAINS)):
        molecules[name] = []
        while len(molecules[name]) < number:
            if molecule := make(generator, taken):
                molecules[name].append(molecule)
                heavy = np.array(molecule.names) != "H"
                taken = np.concatenate([taken, np.array(molecule.positions)[heavy]])
    return molecules


def write_topology(path, molecules):
    """GROMACS topology of {name: list of Molecule}; the whole charge must be zero."""
    charge = sum(sum(molecule.charges) for copies in molecules.values() for molecule in copies)
    if abs(charge) > 1e-6:
        sys.exit(f"error: the topology has a charge of {charge:g}")
    lines = ['#include "oplsaa.ff/forcefield.itp"', "", "[ atomtypes ]"]
    for name, (bonded, number, mass, charge, sigma, epsilon) in TFSI_TYPES.items():
        lines.append(f"{name} {bonded} {number} {mass} {charge} A {sigma} {epsilon}")
    lines += TFSI_BONDED.rstrip().split("\n")
    for name, copies in molecules.items():
        copies[0].heavy_hydrogens()
        # OPLS-AA as distributed has Ryckaert-Bellemans dihedrals (3), those of TFSI are Fourier series (5).
        lines += copies[0].topology(name, 5 if name == "TFSI" else 3)
    lines += ["", "[ system ]", "LiTFSI in poly(ethylene oxide)", "", "[ molecules ]"]
    lines += [f"{name} {len(copies)}" for name, copies in molecules.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_gro(path, molecules):
    """Coordinates for GROMACS."""
    each = [(name, molecule) for name, copies in molecules.items() for molecule in copies]
    lines = ["LiTFSI in poly(ethylene oxide)", str(sum(len(molecule.names) for _, molecule in each))]
    atom = 0
    for residue, (name, molecule) in enumerate(each, 1):
        for element, place in zip(molecule.names, molecule.positions, strict=True):
            atom += 1
            x, y, z = place / 10
            lines.append(f"{residue:5d}{name:<5}{element:>5}{atom:5d}{x:8.3f}{y:8.3f}{z:8.3f}")
    lines.append(" ".join([f"{BOX / 10:.3f}"] * 3))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder, seed = Path(sys.argv[1]), int((*sys.argv, 1)[2])
    folder.mkdir(parents=True, exist_ok=True)
    molecules = packed(np.random.default_rng(seed))
    write_topology(folder / "topol.top", molecules)
    write_gro(folder / "packed.gro", molecules)
    print(f"{folder}: {N_CHAINS} chains of {N_UNITS} units, {N_SALT} LiTFSI")


if __name__ == "__main__":
    main()
