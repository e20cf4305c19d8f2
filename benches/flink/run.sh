#!/usr/bin/env bash
# Apache Flink on the example's four models, for the figures beside ours. Java 17 (with javac) and
# Python 3; for "kafka" also Maven and a release build of engine.
#
#   run.sh files DATA [PARALLELISM [MODEL ...]]     DATA/*.jsonl to nothing, without checkpoints
#   run.sh kafka DATA [PARALLELISM [CHECKPOINTS]]   a Kafka of its own, topics with 4 partitions,
#                                                   exactly once; CHECKPOINTS as "10 s"
#
# DATA is what `cargo bench --bench pipeline -- --write DATA --events N` wrote. Jars and classes are
# kept in $FLINK_WORK, else in target/flink-bench; $FLINK names an unpacked wheel's pyflink folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
work="${FLINK_WORK:-$root/target/flink-bench}"
engine="${ENGINE:-$root/target/release/engine}"
models=(events_clean events_enriched user_sessions product_popularity)
scratch="$(mktemp -d)"
kafka_pid=""
end() {
  [ -z "$kafka_pid" ] || { exec {to_kafka}>&-; wait "$kafka_pid" || true; }
  rm -rf "$scratch"
}
trap end EXIT

prepare() {
  mkdir -p "$work/classes"
  if [ -z "${FLINK:-}" ]; then
    if [ ! -d "$work/venv" ]; then
      python3 -m venv "$work/venv"
      "$work/venv/bin/pip" install --quiet --no-deps apache-flink-libraries==2.3.0
    fi
    FLINK="$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/pyflink"
  fi
  javac -cp "$FLINK/lib/*" -d "$work/classes" "$here/FlinkBench.java"
  printf 'rootLogger.level = OFF\n' > "$scratch/log4j2.properties"
}

# The models as the example has them: their SQL with the templates' calls replaced by names. VIEWS
# is a reserved word in Flink's parser.
write_models() {
  local model
  for model in "${models[@]}"; do
    echo "CREATE TEMPORARY VIEW $model AS"
    awk 'found; /^    sql: \|/ { found = 1 }' "$root/examples/ecommerce/models/$model.yml" |
      sed -E 's/\{\{ *(source|ref)\("([a-z_]+)"\) *\}\}/\2/; s/ as views,/ as `views`,/'
    printf ';\n'
  done
  for model in "$@"; do
    printf 'INSERT INTO out_%s SELECT * FROM %s;\n' "$model" "$model"
  done
}

run_flink() {
  local opens=() package
  for package in lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic util.concurrent.locks; do
    opens+=("--add-opens=java.base/java.$package=ALL-UNNAMED")
  done
  opens+=(--add-opens=java.base/sun.nio.ch=ALL-UNNAMED)
  echo "load of the machine: $(cut -d' ' -f1-3 /proc/loadavg)"
  java -Xmx4g "${opens[@]}" -Dlog4j.configurationFile="$scratch/log4j2.properties" -Duser.timezone=UTC \
    -cp "$work/classes:$FLINK/lib/*:$work/connector/*" FlinkBench \
    -c execution.runtime-mode=STREAMING -c table.local-time-zone=UTC -c state.backend.type=hashmap \
    -c restart-strategy.type=disable -c pipeline.object-reuse=true -c table.optimizer.reuse-optimize-block-with-digest-enabled=true \
    "$@"
}

start_kafka() {
  coproc KAFKA { "$root/tests/kafka/kafka.sh" serve "$scratch/kafka"; }
  kafka_pid="$KAFKA_PID"
  exec {to_kafka}>&"${KAFKA[1]}"
  # The broker ends when nobody holds its standard input.
  eval "exec ${KAFKA[1]}>&-"
  read -r _ brokers <&"${KAFKA[0]}"
}

fill_kafka() {
  local data="$1" project="$scratch/project" model
  mkdir -p "$project"
  printf 'project:\n  name: bench\nruntime:\n  kafka:\n    bootstrap_servers: %s\n' "$brokers" > "$project/stream_project.yml"
  "$engine" topic create ecom.clickstream.v1 --partitions 4 --project "$project"
  "$engine" topic create ecom.products.v1 --partitions 1 --project "$project"
  for model in "${models[@]}"; do
    "$engine" topic create "flink.$model" --partitions 4 --project "$project"
  done
  "$engine" topic produce ecom.products.v1 --key product_id --timestamp updated_at --project "$project" "$data/products.jsonl"
  "$engine" topic produce ecom.clickstream.v1 --key session_id --project "$project" "$data/clickstream.jsonl"
}

case "${1:?files or kafka}" in
files)
  data="$(realpath "${2:?DATA}")"
  parallelism="${3:-1}"
  shift $(($# < 3 ? $# : 3))
  [ $# -gt 0 ] || set -- "${models[@]}"
  prepare
  write_models "$@" > "$scratch/models.sql"
  run_flink -c parallelism.default="$parallelism" -v DATA="$data" \
    "$here/columns.sql" "$here/files.sql" "$scratch/models.sql"
  ;;
kafka)
  data="$(realpath "${2:?DATA}")"
  prepare
  mkdir -p "$work/connector"
  mvn -q -B -f "$here/connector/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/connector"
  start_kafka
  fill_kafka "$data"
  write_models "${models[@]}" > "$scratch/models.sql"
  run_flink -c parallelism.default="${3:-1}" -c execution.checkpointing.interval="${4:-10 s}" \
    -c execution.checkpointing.dir="file://$scratch/checkpoints" -v BROKERS="$brokers" \
    "$here/columns.sql" "$here/kafka.sql" "$scratch/models.sql"
  ;;
*)
  echo "files or kafka" >&2
  exit 2
  ;;
esac
