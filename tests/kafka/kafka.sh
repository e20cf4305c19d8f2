#!/usr/bin/env bash
# A real Apache Kafka (KRaft, on loopback) for the tests: Java 17 and Maven, nothing else.
#
#   kafka.sh available                 exits 0 if Java and Maven (or the cached jars) are there
#   kafka.sh serve DIR [PORT [name=value ...]]
#       Keeps data in DIR (made and formatted once; "-": a temporary one that is removed at the
#       end), prints "ready HOST:PORT" once it answers, and serves until its standard input ends:
#       a test process that dies in any way takes the broker along. Lines on standard input:
#       "restart" (orderly), "crash" (SIGKILL, then start again), "stop" (orderly), "kill" (SIGKILL),
#       "start", "pause" (SIGSTOP: connections stay, nothing answers), "resume";
#       each is answered by another "ready" line. A number after it says which node, the first if
#       there is none. "set NAME=VALUE" changes a property of the first node, from its next start
#       on. PORT 0 or none: a free one.
#   kafka.sh tool CLASS ARGS...        one of Kafka's own tools, as org.apache.kafka.tools.TopicCommand
#
# With KAFKA_NODES=3 "serve" starts a cluster of three nodes, each broker and controller; a topic
# has three replicas, of which two must be in sync. Node N listens on PORT + 2 (N - 1), and "ready"
# names all of them, with commas between.
#
# With KAFKA_TLS=FOLDER "serve" (of one node) listens on three more ports: PORT + 2 is SASL_SSL
# (SCRAM-SHA-512), PORT + 3 is SSL and asks for a client certificate, PORT + 4 is SSL with an
# expired certificate.
# FOLDER has broker.pem and expired.pem (each key and certificate) and ca.pem, KAFKA_USERS the users
# as "NAME=PASSWORD ...". The first user and everybody with a client certificate may do all, the
# others nothing.
#
# The jars are cached in $KAFKA_LIBS, else under $XDG_CACHE_HOME or ~/.cache.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
version="$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")"
libs="${KAFKA_LIBS:-${XDG_CACHE_HOME:-$HOME/.cache}/kafka-jars/$version}"

has_libs() { [ -e "$libs/.complete" ]; }

fetch_libs() {
  has_libs && return
  mkdir -p "$libs"
  # Two test binaries may start at once: one copies, the other waits.
  exec 8>"$libs/.lock"
  flock 8
  if ! has_libs; then
    mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" >&2
    touch "$libs/.complete"
  fi
  exec 8>&-
}

java_command=(java "-Dlog4j2.configurationFile=$here/log4j2.properties" -cp "$libs/*")

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port next
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 12000))
    for next in $(seq 0 $((nodes * 2 + 2))); do
      ! answers "$((port + next))" || continue 2
    done
    echo "$port"
    return
  done
  echo "no free port" >&2
  return 1
}

# Where node $1 listens.
port_of() { echo $((first_port + 2 * ($1 - 1))); }

# Node $1, with further properties. With the quorum's own patience of a second or two, a node that
# was killed on a busy machine was at times not missed for a minute: probably one election followed
# another, and each begins the sessions of all brokers anew.
configure() {
  local node="$1" home="$dir/$1" port voter voters=()
  shift
  port="$(port_of "$node")"
  for voter in $(seq "$nodes"); do
    voters+=("$voter@127.0.0.1:$(($(port_of "$voter") + 1))")
  done
  local replicas=$((nodes < 3 ? nodes : 3))
  local in_sync=$(((replicas + 1) / 2))
  mkdir -p "$home"
  cat > "$home/server.properties" <<P
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$(IFS=,; echo "${voters[*]}")
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
controller.quorum.fetch.timeout.ms=6000
controller.quorum.request.timeout.ms=4000
controller.quorum.election.timeout.ms=3000
log.dirs=$home/data
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.retention.ms=-1
log.message.timestamp.before.max.ms=9223372036854775807
log.message.timestamp.after.max.ms=9223372036854775807
P
  local users=()
  if [ -n "${KAFKA_TLS:-}" ]; then
    configure_tls
    local user
    for user in $KAFKA_USERS; do
      users+=(--add-scram "SCRAM-SHA-512=[name=${user%%=*},password=${user#*=}]")
    done
  fi
  printf '%s\n' "$@" >> "$home/server.properties"
  if [ ! -e "$home/data/meta.properties" ]; then
    "${java_command[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ \
      -c "$home/server.properties" "${users[@]}" > "$home/format.log"
  fi
}

# Properties given again count instead of the ones before.
configure_tls() {
  local host=127.0.0.1 first="${KAFKA_USERS%%=*}"
  local outside="PLAINTEXT://$host:$port,SASL://$host:$((port + 2)),MUTUAL://$host:$((port + 3)),EXPIRED://$host:$((port + 4))"
  cat >> "$home/server.properties" <<P
listeners=$outside,CONTROLLER://$host:$((port + 1))
advertised.listeners=$outside
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL,EXPIRED:SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$KAFKA_TLS/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$KAFKA_TLS/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.expired.ssl.keystore.location=$KAFKA_TLS/expired.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:$first;User:CN=client
P
}

launch() {
  "${java_command[0]}" ${KAFKA_HEAP:--Xmx1g -Xms256m} "${java_command[@]:1}" \
    kafka.Kafka "$dir/$1/server.properties" > "$dir/$1/broker.log" 2>&1 < /dev/null &
  brokers[$1]=$!
}

# Waits until node $1 answers.
await_answer() {
  local port
  port="$(port_of "$1")"
  for _ in $(seq 600); do
    if ! kill -0 "${brokers[$1]}" 2>/dev/null; then
      tail -20 "$dir/$1/broker.log" >&2
      return 1
    fi
    ! answers "$port" || return 0
    sleep 0.1
  done
  echo "no answer on port $port, see $dir/$1/broker.log" >&2
  return 1
}

# The nodes, at once: alone, one of several waits for the others.
start_nodes() {
  local node
  for node in "$@"; do launch "$node"; done
  for node in "$@"; do await_answer "$node"; done
}

# Sends node $2 a signal and waits for its end.
stop_node() {
  if [ -n "${brokers[$2]:-}" ]; then
    kill "-$1" "${brokers[$2]}" 2>/dev/null || true
    wait "${brokers[$2]}" 2>/dev/null || true
    brokers[$2]=""
  fi
}

# The data belongs to a test: at the end there is nothing to save.
end_serving() {
  local node
  for node in $(seq "$nodes"); do stop_node KILL "$node"; done
  [ -z "${temporary:-}" ] || rm -rf "$temporary"
}

say_ready() { echo "ready $(IFS=,; echo "${addresses[*]}")"; }

serve() {
  nodes="${KAFKA_NODES:-1}"
  brokers=()
  if [ "${1:?DIR}" = - ]; then
    dir="$(mktemp -d)"
    temporary="$dir"
  else
    dir="$(realpath -m "$1")"
  fi
  first_port="${2:-0}"
  shift $(($# < 2 ? $# : 2))
  trap end_serving EXIT
  trap 'exit 143' TERM INT HUP
  [ "$first_port" != 0 ] || first_port="$(free_port)"
  if answers "$first_port"; then
    echo "port $first_port is taken" >&2
    return 1
  fi
  fetch_libs
  local node formats=() addresses=()
  for node in $(seq "$nodes"); do
    configure "$node" "$@" &
    formats+=($!)
    addresses+=("127.0.0.1:$(port_of "$node")")
  done
  for node in "${formats[@]}"; do wait "$node"; done
  start_nodes $(seq "$nodes")
  say_ready
  local command
  while read -r command node; do
    node="${node:-1}"
    case "$command" in
    restart) stop_node TERM "$node"; start_nodes "$node" ;;
    crash) stop_node KILL "$node"; start_nodes "$node" ;;
    stop) stop_node TERM "$node" ;;
    kill) stop_node KILL "$node" ;;
    start) start_nodes "$node" ;;
    pause) kill -STOP "${brokers[$node]}" ;;
    resume) kill -CONT "${brokers[$node]}" ;;
    set) echo "$node" >> "$dir/1/server.properties" ;;
    *) echo "restart, crash, stop, kill, start, pause, resume or set, not: $command" >&2; continue ;;
    esac
    say_ready
  done
}

case "${1:-}" in
available)
  command -v java > /dev/null || { echo "java is not installed" >&2; exit 1; }
  has_libs || command -v mvn > /dev/null || { echo "mvn is not installed" >&2; exit 1; }
  ;;
serve) shift; serve "$@" ;;
tool) shift; fetch_libs; "${java_command[@]}" "$@" ;;
*) sed -n '2,28s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
