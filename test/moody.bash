# shellcheck shell=bash
# moody: services whose mood a test sets, each a test/fixtures/misbehave of its own that counts.

# start_server NAME: at unix:$RUN_DIR/NAME.sock.
start_server() {
  spawn "$1" "$BUILD/test/fixtures/misbehave" "unix:$RUN_DIR/$1.sock"
  wait_until test -S "$RUN_DIR/$1.sock"
}

pid_of() {
  local file
  LC_ALL=C grep -lzxFs -- "unix:$RUN_DIR/$1.sock" /proc/[0-9]*/cmdline | while read -r file; do
    ! grep -qsx misbehave "${file%cmdline}comm" || echo "${file//[!0-9]/}"
  done
}

# kill_server NAME: as a crash would; its socket goes as well.
kill_server() {
  kill -KILL "$(pid_of "$1")"
  rm -f -- "$RUN_DIR/$1.sock"
}

# For teardown_file.
stop_servers_and_app() {
  kill_spawned
  find "$RUN_DIR" -maxdepth 1 -type s ! -name 'gateway*' -delete
  stop_app_as_it_is
}

# mood NAME [QUERY]: how this server answers /moody from now on; well without a query. Counts anew.
mood() { get_from "$1" "/mood?${2:-}"; }

# How often /moody was asked in this mood.
calls_of() { get_from "$1" /moods && field .calls; }

# gets N PATH [CURL OPTION...]: how many of the replies were 200.
# shellcheck disable=SC2154 # get sets `code`
gets() {
  local i good=0
  for ((i = 0; i < $1; i++)); do
    get "${@:2}"
    [[ $code != 200 ]] || ((++good))
  done
  echo "$good"
}
