#!/bin/sh
# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
#
# Starts the Flink oracle: JSON lines on standard input, JSON lines on standard output (README.md).
#   TIDEGATE_FLINK_CLASSPATH_DIR  folder with Flink's jars
#                                 (default: ~/.cache/tidegate/services/flink/2.3.0/lib)
#   TIDEGATE_FLINK_JAVA_OPTS      more options for the JVM
#   TIDEGATE_FLINK_LOG            log level, to standard error (default: OFF)
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate
lib=${TIDEGATE_FLINK_CLASSPATH_DIR:-$cache/services/flink/2.3.0/lib}
classes=$cache/flink-oracle/classes
if ! ls "$lib"/flink-dist-*.jar >/dev/null 2>&1; then
    echo "no Flink in $lib; run: cargo xtask services install flink" >&2
    exit 69
fi
if [ -n "${JAVA_HOME:-}" ]; then PATH=$JAVA_HOME/bin:$PATH; fi
if ! command -v java >/dev/null 2>&1; then
    echo "no java on the PATH (Flink needs 11 or later; 17 is what was tried)" >&2
    exit 69
fi
if [ ! -f "$classes/FlinkOracle.class" ] || [ "$here/FlinkOracle.java" -nt "$classes/FlinkOracle.class" ]; then
    mkdir -p "$(dirname "$classes")"
    # Compile aside and move: two starts at once must not see half of it.
    fresh=$(mktemp -d "$classes.XXXXXX")
    javac -nowarn -XDsuppressNotes -encoding UTF-8 -cp "$lib/*" -d "$fresh" "$here/FlinkOracle.java" >&2 || { rm -rf "$fresh"; exit 70; }
    rm -rf "$classes.old.$$"
    if [ -d "$classes" ]; then mv "$classes" "$classes.old.$$"; fi
    mv "$fresh" "$classes"
    rm -rf "$classes.old.$$"
fi
# shellcheck disable=SC2086
exec java -Xms256m -Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Duser.timezone=UTC -Dfile.encoding=UTF-8 \
    --add-opens=java.base/java.lang=ALL-UNNAMED \
    --add-opens=java.base/java.util=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED \
    --add-opens=java.base/java.time=ALL-UNNAMED \
    --add-opens=java.base/java.math=ALL-UNNAMED \
    --add-opens=java.base/java.text=ALL-UNNAMED \
    --add-opens=java.base/java.net=ALL-UNNAMED \
    --add-opens=java.base/java.io=ALL-UNNAMED \
    --add-opens=java.base/java.nio=ALL-UNNAMED \
    --add-opens=java.base/sun.net.util=ALL-UNNAMED \
    "-Dlog4j2.configurationFile=$here/log4j2.properties" \
    ${TIDEGATE_FLINK_JAVA_OPTS:-} \
    -cp "$classes:$lib/*" FlinkOracle
