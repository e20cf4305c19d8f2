#!/usr/bin/env bash
# A real Apache Kafka (one KRaft node on loopback) for the tests: Java 17 and Maven, nothing else.
#
#   kafka.sh available                 exits 0 if Java and Maven (or the cached jars) are there
#   kafka.sh serve DIR [PORT [name=value ...]]
#       Keeps data in DIR (made and formatted once; "-": a temporary one that is removed at the
#       end), prints "ready HOST:PORT" once it answers, and
#       serves until its standard input ends: a test process that dies in any way takes the broker
#       along. Lines on standard input: "restart" (orderly), "crash" (SIGKILL, then start again),
#       "pause" (SIGSTOP: connections stay, nothing answers), "resume"; each is answered by another
#       "ready" line. PORT 0 or none: a free one.
#   kafka.sh tool CLASS ARGS...        one of Kafka's own tools, as org.apache.kafka.tools.TopicCommand
#
# With KAFKA_TLS=FOLDER "serve" listens on three more ports: PORT + 2 is SASL_SSL (SCRAM-SHA-512),
# PORT + 3 is SSL and asks for a client certificate, PORT + 4 is SSL with an expired certificate.
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
    for next in 0 1 2 3 4; do
      ! answers "$((port + next))" || continue 2
    done
    echo "$port"
    return
  done
  echo "no free port" >&2
  return 1
}

configure() {
  mkdir -p "$dir"
  cat > "$dir/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
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
  printf '%s\n' "$@" >> "$dir/server.properties"
  if [ ! -e "$dir/data/meta.properties" ]; then
    "${java_command[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ \
      -c "$dir/server.properties" "${users[@]}" > "$dir/format.log"
  fi
}

# Properties given again count instead of the ones before.
configure_tls() {
  local host=127.0.0.1 first="${KAFKA_USERS%%=*}"
  local outside="PLAINTEXT://$host:$port,SASL://$host:$((port + 2)),MUTUAL://$host:$((port + 3)),EXPIRED://$host:$((port + 4))"
  cat >> "$dir/server.properties" <<P
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

start_broker() {
  "${java_command[0]}" ${KAFKA_HEAP:--Xmx1g -Xms256m} "${java_command[@]:1}" \
    kafka.Kafka "$dir/server.properties" > "$dir/broker.log" 2>&1 < /dev/null &
  broker=$!
  for _ in $(seq 600); do
    if ! kill -0 "$broker" 2>/dev/null; then
      tail -20 "$dir/broker.log" >&2
      return 1
    fi
    if answers "$port"; then
      echo "ready 127.0.0.1:$port"
      return
    fi
    sleep 0.1
  done
  echo "no answer on port $port, see $dir/broker.log" >&2
  return 1
}

stop_broker() {
  if [ -n "${broker:-}" ]; then
    kill "-$1" "$broker" 2>/dev/null || true
    wait "$broker" 2>/dev/null || true
    broker=""
  fi
}

# The data belongs to a test: at the end there is nothing to save.
end_serving() {
  stop_broker KILL
  [ -z "${temporary:-}" ] || rm -rf "$temporary"
}

serve() {
  if [ "${1:?DIR}" = - ]; then
    dir="$(mktemp -d)"
    temporary="$dir"
  else
    dir="$(realpath -m "$1")"
  fi
  port="${2:-0}"
  shift $(($# < 2 ? $# : 2))
  trap end_serving EXIT
  trap 'exit 143' TERM INT HUP
  [ "$port" != 0 ] || port="$(free_port)"
  if answers "$port"; then
    echo "port $port is taken" >&2
    return 1
  fi
  fetch_libs
  configure "$@"
  start_broker
  while read -r line; do
    case "$line" in
    restart) stop_broker TERM; start_broker ;;
    crash) stop_broker KILL; start_broker ;;
    pause) kill -STOP "$broker"; echo "ready 127.0.0.1:$port" ;;
    resume) kill -CONT "$broker"; echo "ready 127.0.0.1:$port" ;;
    *) echo "restart, crash, pause or resume, not: $line" >&2 ;;
    esac
  done
}

case "${1:-}" in
available)
  command -v java > /dev/null || { echo "java is not installed" >&2; exit 1; }
  has_libs || command -v mvn > /dev/null || { echo "mvn is not installed" >&2; exit 1; }
  ;;
serve) shift; serve "$@" ;;
tool) shift; fetch_libs; "${java_command[@]}" "$@" ;;
*) sed -n '2,21s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
