#!/bin/sh
# Run one job to its end and make a Hugging Face dataset of its results.
#
#   dataset.sh JOB.toml [options of `batcher run`]
#
# The run goes into JOB.batch beside the job, the dataset into JOB.batch/hf. Read its card,
# README.md, add a license and a language, and only then publish it. A run that stops
# early, or has more errors than the job allows, makes no dataset; the exit code is batcher's own.
# BATCHER names the program if it is not on the PATH.

set -eu

if [ $# -eq 0 ]; then
    echo "usage: dataset.sh JOB.toml [options of batcher run]" >&2
    exit 2
fi
job=$1
shift
run=$(dirname -- "$job")/$(basename -- "$job" .toml).batch

"${BATCHER:-batcher}" run --job "$job" -o "$run" "$@"
"${BATCHER:-batcher}" export "$run" --format hf --partition-rows 100000
echo "Publish it with: hf upload NAME/DATASET $run/hf --repo-type dataset"
