#!/bin/bash
# run.sh FAMILY.tsv... : asks Apache Flink for the type and the value of every expression of the
# tables and writes them into the files. Without arguments: all tables of the folder above.
# Needs Java 17 (with javac), Python 3 and the wheel apache-flink-libraries; no cluster.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
work="${FLINK_WORK:-$here/../../../target/flink-oracle}"
mkdir -p "$work"
if [ -z "${FLINK:-}" ]; then
  if [ ! -d "$work/venv" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --no-deps apache-flink-libraries==2.3.0
  fi
  FLINK="$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/pyflink"
fi
javac -cp "$FLINK/lib/*" -d "$work" "$here/FunctionOracle.java"
opens=()
for package in lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic util.concurrent.locks; do
  opens+=("--add-opens=java.base/java.$package=ALL-UNNAMED")
done
opens+=(--add-opens=java.base/sun.nio.ch=ALL-UNNAMED)
printf 'rootLogger.level = OFF\n' > "$work/log4j2.properties"
if [ "$#" -eq 0 ]; then set -- "$here"/../*.tsv; fi
exec java -Xmx2g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${opens[@]}" -Dlog4j.configurationFile="$work/log4j2.properties" \
  -Duser.timezone=UTC -cp "$work:$FLINK/lib/*" FunctionOracle "$here/../table.jsonl" "$@"
