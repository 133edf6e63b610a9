#!/usr/bin/env bash
# Every number and figure of "Silicon at a solid-liquid interface" in docs/results.md, from nothing:
#
#     pip install -e ".[simulate]"
#     bash examples/si_interface/reproduce.sh [FOLDER]
#
# About two hours on two cores, half of them the simulation on one; what exists in FOLDER (default: runs/si_interface) is
# not made again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
folder=${1:-runs/si_interface}
mkdir -p "$folder"
cd "$folder"

[ -e si_interface.npz ] || python "$here/simulate.py" --length-ns 3 --seed 4711 --out si_interface.npz
sha256sum --check "$here/si_interface.sha256" ||
    echo "not the published trajectory: expect its numbers within the intervals only"
[ -e graphs/meta.json ] ||
    python "$top/preprocess/build_graphs.py" si_interface.npz --n-neighbors 20 --edges distance --out graphs

if [ -e si4 ] && [ ! -e si4/scores.json ]; then
    python "$top/train.py" --resume --run si4
elif [ ! -e si4 ]; then
    python "$top/train.py" --graphs graphs --n-states 4 --tau 20 --seed 1 --n-restarts 3 --split 0.4 0.1 0.5 --run si4
fi
python "$top/analysis/report.py" si4
python "$here/interface.py" si4 | tee results.txt
