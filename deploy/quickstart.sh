#!/usr/bin/env bash
# A working pgtrickle with sample data in one command:
#
#   quickstart.sh [start]   install packages, build, start a private PostgreSQL cluster and pgtrickled, load a sample
#                           shop, create stream tables, change rows, show what happened. Leaves everything running.
#   quickstart.sh status    what is running, and how fresh the stream tables are
#   quickstart.sh stop      stop daemon and cluster; the data stays, start continues
#   quickstart.sh remove    stop, and delete the data
#
# As root everything runs as user postgres under /var/lib/pgtrickle-quickstart, otherwise as yourself under .quickstart/.
# Other clusters on the machine are never touched. PGT_QUICKSTART_DIR chooses another directory, PGT_JOBS limits the
# number of parallel compilations.
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
sql_dir=$source_dir/deploy/quickstart
database=shop
worker_role=pgtrickle_worker
as_server=()
if [ "$(id -u)" -eq 0 ]; then
  dir=${PGT_QUICKSTART_DIR:-/var/lib/pgtrickle-quickstart}
  as_server=(runuser -u postgres --)
else
  dir=${PGT_QUICKSTART_DIR:-$source_dir/.quickstart}
fi
data=$dir/data

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

server_bin() {
  local newest
  newest=$(find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -n 1)
  if [ -n "$newest" ]; then dirname "$newest"; else pg_config --bindir; fi
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# chosen_port FILE FIRST: the port in FILE, or the first free one from FIRST on, which is kept there.
chosen_port() {
  local port=$2
  if [ ! -s "$dir/$1" ]; then
    until port_is_free "$port"; do port=$((port + 1)); done
    echo "$port" >"$dir/$1"
  fi
  cat "$dir/$1"
}

# The pid in the file may be another program's by now, hence the look at the name.
daemon_runs() {
  local pid
  pid=$(cat "$dir/pgtrickled.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = pgtrickled ]
}

server_runs() {
  [ -d "$data" ] && in_dir "${as_server[@]}" "$(server_bin)/pg_ctl" -D "$data" status >/dev/null 2>&1
}

# The server's user may not be able to enter the current directory.
in_dir() { (cd "$dir" && "$@"); }

dsn() { echo "host=$dir/run port=$(cat "$dir/port") user=postgres dbname=$1"; }

sql() { psql "$(dsn "$database")" -X -q "$@"; }

build() {
  say "Building"
  (
    cd "$source_dir"
    cmake --preset release >/dev/null
    cmake --build --preset release --parallel "${PGT_JOBS:-$(nproc)}" --target pgtrickled pgtrickle
  )
  # Copies, because user postgres may not be able to enter the source directory; only if they changed, because a
  # running daemon goes on with the old one.
  mkdir -p "$dir/bin"
  for program in pgtrickled cli/pgtrickle; do
    local target
    target=$dir/bin/$(basename "$program")
    cmp -s "$source_dir/build/daemon/$program" "$target" || install -m 755 "$source_dir/build/daemon/$program" "$target"
  done
}

make_cluster() {
  local port
  port=$(chosen_port port 54329)
  if [ ! -s "$data/PG_VERSION" ]; then
    say "Creating a private cluster in $data"
    mkdir -p "$data" "$dir/run" "$dir/log"
    if [ ${#as_server[@]} -gt 0 ]; then chown postgres "$data" "$dir/run" "$dir/log"; fi
    chmod 700 "$data" "$dir/run"
    in_dir "${as_server[@]}" "$(server_bin)/initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 \
      --auth-local=trust --auth-host=scram-sha-256 >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
    # Reachable through the socket directory by this user and root only; over TCP after a password is set.
    cat >>"$data/postgresql.conf" <<CONF

# pgtrickle quickstart
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir/run'
CONF
  fi
}

start_server() {
  server_runs && return
  say "Starting PostgreSQL on port $(cat "$dir/port")"
  in_dir "${as_server[@]}" "$(server_bin)/pg_ctl" -D "$data" -l "$dir/log/server.log" -w start >/dev/null || {
    tail -n 20 "$dir/log/server.log" >&2
    exit 1
  }
}

install_extension() {
  if [ "$(id -u)" -eq 0 ]; then
    make -s -C "$source_dir/ext-min" PG_CONFIG="$(server_bin)/pg_config" WITH_C=no install >/dev/null
    sql -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION IF NOT EXISTS pg_trickle'
  else
    # Extension files belong to root; the plain script is the same SQL.
    "$dir/bin/pgtrickle" --dsn "$(dsn "$database")" install
  fi
  # Refreshes run in sessions of a role that has nothing to lose: docs/SECURITY.md.
  "$dir/bin/pgtrickle" --dsn "$(dsn "$database")" install --worker-role "$worker_role" >/dev/null
}

start_daemon() {
  if daemon_runs; then
    cmp -s "/proc/$(cat "$dir/pgtrickled.pid")/exe" "$dir/bin/pgtrickled" && return
    stop_daemon
  fi
  local http_port
  http_port=$(chosen_port http_port 9188)
  say "Starting pgtrickled, HTTP on port $http_port"
  # shellcheck disable=SC2016  # expanded by the inner shell, whose pid the daemon keeps
  in_dir "${as_server[@]}" bash -c 'echo $$ >"$1/run/pgtrickled.pid"; exec setsid "$1/bin/pgtrickled" --dsn "$2" --http-port "$3" --worker-dsn "user=$4"' \
    quickstart "$dir" "$(dsn "$database")" "$http_port" "$worker_role" </dev/null >>"$dir/log/pgtrickled.log" 2>&1 &
  for _ in $(seq 100); do
    if [ -s "$dir/run/pgtrickled.pid" ]; then
      cp "$dir/run/pgtrickled.pid" "$dir/pgtrickled.pid"
      if daemon_runs && (exec 3<>"/dev/tcp/127.0.0.1/$http_port") 2>/dev/null; then return; fi
    fi
    sleep 0.1
  done
  echo "pgtrickled did not start; the end of $dir/log/pgtrickled.log:" >&2
  tail -n 20 "$dir/log/pgtrickled.log" >&2
  exit 1
}

stop_daemon() {
  daemon_runs || return 0
  kill -TERM "$(cat "$dir/pgtrickled.pid")"
  for _ in $(seq 100); do
    daemon_runs || break
    sleep 0.1
  done
  rm -f "$dir/pgtrickled.pid" "$dir/run/pgtrickled.pid"
}

wait_until_fresh() {
  for _ in $(seq 300); do
    [ "$(sql -At -c "SELECT count(*) FROM pgtrickle.stream_tables WHERE staleness IS DISTINCT FROM interval '0'")" = 0 ] && return
    sleep 0.1
  done
  echo "the stream tables did not become fresh:" >&2
  "$dir/bin/pgtrickle" --dsn "$(dsn "$database")" status >&2
  exit 1
}

start() {
  "$source_dir/deploy/install-deps.sh"
  mkdir -p "$dir"
  build
  make_cluster
  start_server
  if [ -z "$(psql "$(dsn postgres)" -XAt -c "SELECT 1 FROM pg_database WHERE datname = '$database'")" ]; then
    psql "$(dsn postgres)" -X -q -c "CREATE DATABASE $database"
  fi
  if [ "$(sql -At -c "SELECT to_regclass('public.orders') IS NULL")" = t ]; then
    say "Loading the sample shop: 5,000 customers, 500 products, 100,000 orders"
    sql -f "$sql_dir/1_shop.sql"
  fi
  install_extension
  start_daemon
  if [ -z "$(sql -At -c "SELECT 1 FROM pgtrickle.pgt_stream_tables LIMIT 1")" ]; then
    say "Creating stream tables (deploy/quickstart/2_stream_tables.sql)"
    sql -At -f "$sql_dir/2_stream_tables.sql" >/dev/null
  fi
  "$dir/bin/pgtrickle" --dsn "$(dsn "$database")" wait daily_sales order_details region_sales top_regions
  sleep 1   # sessions of the daemon plan the refreshes of new tables as soon as they are idle
  say "Changing rows (deploy/quickstart/3_changes.sql): 50 orders inserted, 20 updated, 10 deleted, a customer moved; then single orders"
  sql -f "$sql_dir/3_changes.sql" >/dev/null
  wait_until_fresh
  sql -f "$sql_dir/4_show.sql"
  "$dir/bin/pgtrickle" --dsn "$(dsn "$database")" verify --no-refresh
  say "Everything is running. Try:"
  cat <<TEXT
  psql "$(dsn "$database")"
    INSERT INTO orders (customer_id, product_id, quantity, amount, ordered_on) VALUES (1, 1, 1, 99, current_date);
    SELECT * FROM top_regions;
  $dir/bin/pgtrickle --dsn "$(dsn "$database")" status
  curl http://127.0.0.1:$(cat "$dir/http_port")/health
  $0 stop
TEXT
}

status() {
  if ! server_runs; then
    echo "not running"
    return 3
  fi
  echo "PostgreSQL: running, psql \"$(dsn "$database")\""
  if daemon_runs; then
    echo "pgtrickled: running, http://127.0.0.1:$(cat "$dir/http_port")/health"
  else
    echo "pgtrickled: not running"
  fi
  "$dir/bin/pgtrickle" --dsn "$(dsn "$database")" status
  daemon_runs
}

stop() {
  stop_daemon
  if server_runs; then
    in_dir "${as_server[@]}" "$(server_bin)/pg_ctl" -D "$data" -m fast -w stop >/dev/null
  fi
  echo "stopped"
}

case ${1:-start} in
  start) start ;;
  stop) stop ;;
  status) status ;;
  remove)
    stop
    # By name, so that a wrong PGT_QUICKSTART_DIR loses nothing else.
    rm -rf "${dir:?}"/{data,run,log,bin,port,http_port,initdb.log}
    rmdir "$dir" 2>/dev/null || true
    ;;
  *)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
