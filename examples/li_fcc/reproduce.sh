#!/usr/bin/env bash
# Every number and figure of "Lithium in FCC sulfur, 200 ns" in docs/results.md, from nothing:
#
#     pip install -e ".[simulate]"
#     bash examples/li_fcc/reproduce.sh [FOLDER]
#
# About an hour on one core, and 2 GB; what exists in FOLDER (default: runs/li_fcc_200ns) is not made again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
source "$top/examples/steps.sh"
folder=${1:-runs/li_fcc_200ns}
mkdir -p "$folder"
cd "$folder"

[ -e li200.npz ] || python "$here/simulate.py" --length-ns 200 --seed 11 --out li200.npz
check "$here/li200.sha256"
[ -e graphs/meta.json ] || python "$top/preprocess/build_graphs.py" li200.npz --edges distance --out graphs

train local2 --n-states 2 --tau 100 --n-restarts 3
train global2 --model vampnet --n-states 2 --tau 20 --n-restarts 3
train global12 --model vampnet --n-states 12 --tau 100

python "$here/global_dynamics.py" local2 global2 global12 | tee results.txt
python "$here/figures.py" local2 global2 figures
