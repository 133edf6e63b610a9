#!/usr/bin/env bash
# Every number and figure of "Silicon at a solid-liquid interface" in docs/results.md, from nothing:
#
#     pip install -e ".[simulate]"
#     bash examples/si_interface/reproduce.sh [FOLDER]
#
# About two hours: one for the simulation on one core, one for the trainings on two; what exists in FOLDER (default:
# runs/si_interface) is not made again, what was interrupted is continued.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
source "$top/examples/steps.sh"
folder=${1:-runs/si_interface}
mkdir -p "$folder"
cd "$folder"

[ -e si_4711.npz ] || python "$here/simulate.py" --length-ns 3 --seed 4711
check "$here/si_interface.sha256"
[ -e graphs/meta.json ] ||
    python "$top/preprocess/build_graphs.py" si_4711.npz --n-neighbors 20 --edges distance --out graphs

train si4 --n-states 4 --tau 20 --n-restarts 3

python "$top/analysis/report.py" si4
python "$here/interface.py" si4 | tee results.txt
