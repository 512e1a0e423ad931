#!/usr/bin/env bash
# A ClickHouse cluster for tests: two shards of two replicas each and ZooKeeper, all on loopback, with
# Debian's packages (clickhouse-server, zookeeper). Data goes into target/clickhouse.
#
#   tools/clickhouse/cluster.sh start | stop | wipe | status
#   tools/clickhouse/cluster.sh kill 1 2          replica 2 of shard 1, as by a power cut
#   tools/clickhouse/cluster.sh revive 1 2
#
# HTTP ports: 18111 and 18112 (shard 1), 18121 and 18122 (shard 2); the cluster is called "likeness".
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$(realpath -m "${CARGO_TARGET_DIR:-target}")/clickhouse
zookeeper_port=18181

# Every server's ports end in its shard's and replica's number.
ports() { echo "181$1$2" "190$1$2" "191$1$2"; }

cluster() {
  for shard in 1 2; do
    printf '<shard><internal_replication>true</internal_replication>'
    for replica in 1 2; do
      read -r _ tcp _ <<<"$(ports $shard $replica)"
      printf '<replica><host>127.0.0.1</host><port>%s</port></replica>' "$tcp"
    done
    printf '</shard>\n'
  done
}

configure() { # SHARD REPLICA
  local dir=$root/$1$2
  read -r http tcp interserver <<<"$(ports "$1" "$2")"
  mkdir -p "$dir/data" "$dir/tmp"
  cat >"$dir/config.xml" <<XML
<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>$dir/server.log</log><errorlog>$dir/error.log</errorlog><size>20M</size><count>2</count></logger>
  <http_port>$http</http_port><tcp_port>$tcp</tcp_port>
  <interserver_http_port>$interserver</interserver_http_port><interserver_http_host>127.0.0.1</interserver_http_host>
  <listen_host>127.0.0.1</listen_host>
  <max_concurrent_queries>100</max_concurrent_queries>
  <uncompressed_cache_size>0</uncompressed_cache_size><mark_cache_size>268435456</mark_cache_size>
  <path>$dir/data/</path><tmp_path>$dir/tmp/</tmp_path>
  <users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
  <remote_servers><likeness>$(cluster)</likeness></remote_servers>
  <zookeeper><node><host>127.0.0.1</host><port>$zookeeper_port</port></node><session_timeout_ms>10000</session_timeout_ms></zookeeper>
  <macros><cluster>likeness</cluster><shard>$1</shard><replica>$2</replica></macros>
  <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
</yandex>
XML
  cat >"$dir/users.xml" <<'XML'
<?xml version="1.0"?>
<yandex>
  <profiles><default><max_memory_usage>4000000000</max_memory_usage><background_pool_size>4</background_pool_size></default></profiles>
  <users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
  <quotas><default></default></quotas>
</yandex>
XML
}

running() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

start_zookeeper() {
  running "$root/zookeeper/pid" && return
  mkdir -p "$root/zookeeper/data"
  cat >"$root/zookeeper/zoo.cfg" <<CFG
tickTime=2000
dataDir=$root/zookeeper/data
clientPort=$zookeeper_port
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr
CFG
  java -Xmx256m -Dzookeeper.log.dir="$root/zookeeper" -cp "/etc/zookeeper/conf_example:/usr/share/java/zookeeper.jar" \
    org.apache.zookeeper.server.quorum.QuorumPeerMain "$root/zookeeper/zoo.cfg" >"$root/zookeeper/out.log" 2>&1 &
  echo $! >"$root/zookeeper/pid"
  for _ in $(seq 100); do
    # It answers before it serves, and a server of 18.16 that meets it then may crash.
    (exec 3<>"/dev/tcp/127.0.0.1/$zookeeper_port" && echo srvr >&3 && timeout 2 cat <&3) 2>/dev/null | grep -q ^Mode: && return
    sleep 0.2
  done
  echo "ZooKeeper does not start: $root/zookeeper/out.log" >&2
  exit 1
}

start_server() { # SHARD REPLICA
  local dir=$root/$1$2
  running "$dir/pid" && return
  configure "$1" "$2"
  (cd "$dir" && exec clickhouse-server --config-file="$dir/config.xml" >"$dir/out.log" 2>&1) &
  echo $! >"$dir/pid"
}

answers() { # SHARD REPLICA
  local http
  read -r http _ <<<"$(ports "$1" "$2")"
  [ "$(curl -s "http://127.0.0.1:$http/?query=SELECT%201" 2>/dev/null)" = 1 ]
}

await() { # SHARD REPLICA
  for _ in $(seq 600); do
    answers "$1" "$2" && return
    running "$root/$1$2/pid" || start_server "$1" "$2"
    sleep 0.2
  done
  echo "the server does not start: $root/$1$2/error.log" >&2
  exit 1
}

each() { for shard in 1 2; do for replica in 1 2; do "$1" $shard $replica; done; done; }

stop_pid() { # FILE SIGNAL
  if running "$1"; then
    local pid
    pid=$(cat "$1")
    kill "-$2" "$pid"
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -0 "$pid" 2>/dev/null && kill -KILL "$pid"
  fi
  rm -f "$1"
}

case "${1:-}" in
  start)
    for program in clickhouse-server java curl; do
      command -v $program >/dev/null || { echo "skipped: $program is not installed" >&2; exit 3; }
    done
    start_zookeeper
    each start_server
    each await
    ;;
  stop)
    stop_server() { stop_pid "$root/$1$2/pid" TERM; }
    each stop_server
    stop_pid "$root/zookeeper/pid" TERM
    ;;
  wipe)
    "$0" stop
    rm -rf "$root"
    ;;
  kill) stop_pid "$root/$2$3/pid" KILL ;;
  revive)
    start_server "$2" "$3"
    await "$2" "$3"
    ;;
  status)
    status() { answers "$1" "$2" && echo "shard $1 replica $2 answers" || echo "shard $1 replica $2 is gone"; }
    each status
    ;;
  *)
    sed -n '2,9p' "$0"
    exit 2
    ;;
esac
