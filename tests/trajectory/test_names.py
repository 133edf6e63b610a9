"""Elements told by atom names: symbols as they are written, capitals that may be two things, and masses that decide."""

import numpy as np
import pytest
from MDAnalysis.guesser.default_guesser import DefaultGuesser

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.elements import elements_by_name, symbol


def told(names, residues=None, masses=None):
    names = names.split()
    residues = np.zeros(len(names), int) if residues is None else np.array(residues)
    masses = np.zeros(len(names)) if masses is None else np.array(masses, float)
    guess = DefaultGuesser(None).guess_atom_element
    return " ".join(symbol(int(z)) for z in elements_by_name(names, residues, masses, guess, "run", "; help"))


def test_symbols_as_they_are_written():
    """The usual guess takes the first or the last letter of these."""
    assert told("Sn Se As Pb Mn Co Na+ Cl- Li1 O") == "Sn Se As Pb Mn Co Na Cl Li O"


def test_names_of_force_fields():
    assert told("OW HW1 SOD CLA POT CAL NA ZN MN") == "O H Na Cl K Ca Na Zn Mn"


def test_capitals_by_residue():
    """A protein's CA beside a calcium ion."""
    assert told("N CA CB HA CA", residues=[0, 0, 0, 0, 1]) == "N C C H Ca"
    with pytest.raises(
        InputError, match="run: the topology has no elements and the atom name 'CO' may be C or Co; help"
    ):
        told("CO O CO O")


def test_masses_decide():
    assert told("CO O CO O", masses=[58.9, 16, 58.9, 16]) == "Co O Co O"
    assert told("CA CA", masses=[12.0, 40.1]) == "C Ca"
    assert told("C H", masses=[10.0, 3.0]) == "C H"  # hydrogen made heavier at the cost of its carbon
    with pytest.raises(InputError, match=r"run: the atom name 'Sn' reads as Sn \(118.7 u\), its mass is 32.1 u; help"):
        told("Sn", masses=[32.06])


def test_no_element_at_all():
    with pytest.raises(InputError, match="the atom name 'MW' tells none; help"):
        told("OW MW")
