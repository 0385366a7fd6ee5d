#!/usr/bin/env bash
# Puts the servers that the tests of dlbd.data talk to into ${DLBD_TEST_SERVERS:-~/.cache/dlbd-test-servers}, or into the
# system where Debian has them (as root). What is there already stays. `install.sh NAME...` installs only these.
set -euo pipefail
cache=${DLBD_TEST_SERVERS:-$HOME/.cache/dlbd-test-servers}
mkdir -p "$cache"
have() { command -v "$1" >/dev/null; }
debian() { [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >>"$cache/apt.log" 2>&1

# Each server is a function of its name.

mongodb() {
  local home=$cache/mongodb here
  here=$(cd "$(dirname "$0")" && pwd)
  have javac && have mvn || debian default-jdk-headless maven
  mkdir -p "$home"
  cat >"$home/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dlbd</groupId><artifactId>mongodb</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>de.bwaldvogel</groupId><artifactId>mongo-java-server</artifactId><version>1.47.0</version></dependency>
  </dependencies>
</project>
POM
  [ -d "$home/lib" ] || mvn -q -f "$home/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$home/lib"
  [ "$home/MongoServerMain.class" -nt "$here/MongoServerMain.java" ] ||
    javac -cp "$home/lib/*" -d "$home" "$here/MongoServerMain.java"
}

s3() { # two minutes, once
  [ -x "$cache/s3/versitygw" ] || GOBIN=$cache/s3 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
}

hdfs() {
  local home=$cache/hdfs
  have java && have mvn || debian default-jdk-headless maven
  mkdir -p "$home"
  cat >"$home/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dlbd</groupId><artifactId>hdfs</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.hadoop</groupId><artifactId>hadoop-hdfs</artifactId><version>3.5.0</version></dependency>
    <dependency><groupId>org.apache.hadoop</groupId><artifactId>hadoop-hdfs-client</artifactId><version>3.5.0</version></dependency>
    <dependency><groupId>org.apache.hadoop</groupId><artifactId>hadoop-common</artifactId><version>3.5.0</version></dependency>
  </dependencies>
</project>
POM
  [ -d "$home/lib" ] || mvn -q -f "$home/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$home/lib"
}

for name in ${@:-}; do "$name"; done
