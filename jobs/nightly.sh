#!/bin/sh
# Run one job unattended, for cron (see crontab beside this file).
#
#   nightly.sh JOB.toml [options of `batcher run`]
#
# The run goes on where the last night's stopped. Everything is logged to
# logs/JOB-YYYY-MM-DD.log beside the job. Only what needs a person is also printed, and cron mails
# what is printed to MAILTO: a good night, or rows left for the next one (75), is silent, until a
# job has not been finished for a week. Logs are deleted after BATCHER_LOG_DAYS days (90).
#
# The key comes from .env beside the job, or from the file that BATCHER_KEY_FILE names; both must
# be readable by their owner only (chmod 600). BATCHER names the program if it is not on the PATH.
#
# The exit code is batcher's own (docs/errors.md).

set -u
umask 077

# cron's PATH is bare: add where pip, pipx and uv put programs.
PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin${HOME:+:$HOME/.local/bin}"
export PATH

log=/dev/null

note() {
    printf '%s nightly: %s\n' "$(date +%Y-%m-%dT%H:%M:%S%z)" "$1" >>"$log"
}

# Say it to the person whom cron mails.
call() {
    note "$1"
    printf 'nightly: %s\n' "$1" >&2
}

# Rows that are left need nobody, but a job that never gets done does: each week anew.
leave() {
    [ -e "$waiting" ] || touch "$waiting"
    if [ -n "$(find "$waiting" -mtime +6)" ]; then
        touch "$waiting"
        call "$name has not been finished for a week: $1"
    fi
}

if [ $# -eq 0 ]; then
    call "usage: nightly.sh JOB.toml [options of batcher run]"
    exit 2
fi
if [ ! -r "$1" ]; then
    call "cannot read the job file $1"
    exit 78
fi
folder=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd) || exit 78
job=$folder/$(basename -- "$1")
name=$(basename -- "$1" .toml)
shift
cd -- "$folder" || exit 78

if ! mkdir -p logs; then
    call "cannot make the folder $folder/logs"
    exit 73
fi
log=$folder/logs/$name-$(date +%Y-%m-%d).log
if ! touch "$log"; then
    log=/dev/null
    call "cannot write to $folder/logs"
    exit 73
fi

case ${BATCHER_LOG_DAYS:-90} in
*[!0-9]*)
    call "BATCHER_LOG_DAYS is no number of days: $BATCHER_LOG_DAYS"
    exit 78
    ;;
esac

waiting=$folder/logs/$name.waiting
find logs -type f -name '*-????-??-??.log' -mtime "+${BATCHER_LOG_DAYS:-90}" -exec rm -f {} +

# The lock lives as long as descriptor 9, which batcher inherits: if this script alone is killed,
# the next one still waits for batcher. Without flock there is batcher's own lock.
if command -v flock >/dev/null; then
    exec 9>>"logs/$name.lock"
    if ! flock -n 9; then
        note "not started: the last run of $name still goes on"
        leave "its run still goes on"
        exit 75
    fi
fi

if [ -n "${BATCHER_KEY_FILE:-}" ]; then
    set -- "$@" --api-key-file "$BATCHER_KEY_FILE"
fi
for secret in .env "${BATCHER_KEY_FILE:-.env}"; do
    if [ -e "$secret" ] && [ -n "$(find -L "$secret" -prune -perm /077)" ]; then
        call "others may read the key in $secret: chmod 600 it"
        exit 77
    fi
done

batcher=${BATCHER:-batcher}
if ! command -v "$batcher" >/dev/null; then
    call "no program $batcher on the PATH: name it with BATCHER=/path/to/batcher"
    exit 78
fi

# In the background, so that a signal to this script reaches batcher, which then drains and exits.
# SIGINT becomes SIGTERM, since background processes of a shell ignore SIGINT.
child=
stopped=
trap 'stopped=1; [ -z "$child" ] || kill "$child"' HUP INT TERM
note "started: $job"
"$batcher" run --job "$job" "$@" </dev/null >>"$log" 2>&1 &
child=$!
[ -z "$stopped" ] || kill "$child"
wait "$child"
code=$?
# A signal ends `wait` early; batcher's own code comes when it has drained.
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
done

case $code in
0) meaning="done" ;;
65) meaning="finished, but more rows are errors than the job allows: see errors.parquet" ;;
75) meaning="rows are pending, the next start goes on with them" ;;
77) meaning="stopped, the key or the balance needs a person" ;;
2 | 78) meaning="stopped, the job, its input or a setting is wrong" ;;
73 | 74) meaning="stopped, the disk is full, failing or not writable" ;;
130 | 143) meaning="stopped by a signal, the next start goes on" ;;
*) meaning="batcher ended unexpectedly" ;;
esac
note "exit code $code: $meaning"
# With 65 every row has its outcome, too.
case $code in
0 | 65) rm -f "$waiting" ;;
esac
case $code in
0) ;;
75 | 130 | 143) leave "$meaning" ;;
*)
    printf 'nightly: %s: exit code %s: %s\nThe end of %s:\n' "$name" "$code" "$meaning" "$log" >&2
    tail -n 20 "$log" >&2
    ;;
esac
exit "$code"
