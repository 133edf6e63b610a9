#!/usr/bin/env bash
# LiTFSI in poly(ethylene oxide) with GROMACS, from nothing:
#
#     bash examples/peo_litfsi/simulate.sh FOLDER [PIECES] [SEED]
#
# Builds, minimises, compresses, equilibrates, then makes PIECES (default: 20) of the trajectory, 3 ns each, in
# FOLDER/piece_01.xtc and so on. What exists in FOLDER is not made again, and what was stopped goes on from its last
# checkpoint: the same command resumes, with more PIECES it makes the trajectory longer. Another SEED (default: 1) grows
# other coils: an independent trajectory.
# MDRUN holds options of gmx mdrun (default: one rank with all cores).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?folder}
pieces=${2:-20}
seed=${3:-1}
read -ra mdrun <<< "${MDRUN:--ntmpi 1}"
export GMX_MAXBACKUP=-1

run() { # NAME SETTINGS COORDINATES [CHECKPOINT]: a run ends with its .gro
    [ -e "$1.gro" ] && return
    if [ ! -e "$1.cpt" ]; then
        gmx -quiet grompp -f "$here/$2.mdp" -c "$3" ${4:+-t "$4"} -p topol.top -o "$1.tpr" -po "$1.mdp"
    fi
    gmx -quiet mdrun -deffnm "$1" -cpi "$1.cpt" -cpt 5 "${mdrun[@]}"
}

[ -e "$folder/packed.gro" ] || python "$here/build.py" "$folder" "$seed"
cd "$folder"
run minimise minimise packed.gro
run compress compress minimise.gro
run equilibrate equilibrate compress.gro compress.cpt
if [ ! -e start.gro ]; then
    # The mean density, from the second half of the equilibration
    density=$(echo Density | gmx -quiet energy -f equilibrate.edr -b 150 -o density.xvg | awk '$1 == "Density" {print $2}')
    gmx -quiet editconf -f equilibrate.gro -density "$density" -o start.gro
fi
run piece_01 production start.gro
for ((i = 2; i <= pieces; i++)); do
    printf -v name "piece_%02d" "$i"
    printf -v before "piece_%02d" "$((i - 1))"
    run "$name" production "$before.gro" "$before.cpt"
done
