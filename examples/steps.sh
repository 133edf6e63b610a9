# Sourced by examples/*/reproduce.sh. Needs: top, the folder of the repository; the working folder holds graphs/.

check() { # file of checksums
    sha256sum --check "$1" || echo "not the published trajectory: expect its numbers within the intervals only"
}

train() { # name of the run, options; a finished run is left alone, an interrupted one continued
    if [ -e "$1/scores.json" ]; then return; fi
    if [ -e "$1" ]; then
        python "$top/train.py" --resume --run "$1"
    else
        python "$top/train.py" --graphs graphs --seed 1 --split 0.4 0.1 0.5 --run "$@"
    fi
}
