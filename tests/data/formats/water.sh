#!/bin/sh
# 32 molecules of SPC/E water by GROMACS 2022.5: water.tpr, water.xtc, water.trr, water.gro, water.pdb.
set -e
cat > water.top <<END
#include "oplsaa.ff/forcefield.itp"
#include "oplsaa.ff/spce.itp"
[ system ]
water
[ molecules ]
END
gmx solvate -cs spc216.gro -box 1.1 1.1 1.1 -maxsol 32 -o box.gro -p water.top
cat > water.mdp <<END
integrator = md
dt = 0.001
nsteps = 100
nstxout-compressed = 20
nstxout = 20
nstvout = 40
cutoff-scheme = Verlet
coulombtype = reaction-field
rcoulomb = 0.5
rvdw = 0.5
verlet-buffer-tolerance = -1
rlist = 0.5
constraints = h-bonds
gen-vel = yes
gen-temp = 300
gen-seed = 7
pcoupl = berendsen
tcoupl = berendsen
tc-grps = System
tau-t = 0.5
ref-t = 300
tau-p = 0.2
ref-p = 1000
compressibility = 4.5e-5
END
gmx grompp -f water.mdp -c box.gro -p water.top -o water.tpr -maxwarn 9
gmx mdrun -deffnm water -ntmpi 1 -ntomp 1
echo 0 | gmx trjconv -f water.trr -s water.tpr -o water.gro
echo 0 | gmx trjconv -f water.trr -s water.tpr -o water.pdb
