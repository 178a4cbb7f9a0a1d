#!/usr/bin/env python3
"""Holds Spark itself against a run on files, as `engines.py` holds its doubles: a master, two workers and a server of
Spark Connect on this machine, which ends every stream after a few seconds.

    python3 -m venv spark && spark/bin/pip install 'pyspark[connect]'
    cargo build --features clickhouse,spark && cargo build --features clickhouse,spark --example engine_query
    spark/bin/python tests/external/spark.py --clickaudit target/debug/clickaudit --query target/debug/examples/engine_query

Needs Java 17, half a gigabyte of packages, four gigabytes of memory and some twenty minutes of two cores, so it is no
stage of `.ci/run`. All servers listen on 127.0.0.1 and are stopped by their process ID. The README's `spark-sql` is
that of the package.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import engines
import transport

STREAM_S = 3
STARTS_WITHIN_S = 300

SPARK_SQL = """#!/bin/sh
export SPARK_HOME='{home}' SPARK_LOCAL_IP=127.0.0.1
exec '{home}/bin/spark-sql' --master '{master}' --conf spark.driver.host=127.0.0.1 --conf spark.driver.bindAddress=127.0.0.1 \\
  --conf spark.sql.catalogImplementation=in-memory --conf spark.cores.max=1 --conf spark.executor.memory=1g \\
  --conf spark.ui.enabled=false "$@"
"""


class Cluster(engines.Spark):
    """Spark with a master and two workers."""

    ids = {2}

    def __init__(self, folder):
        import pyspark

        self.home = pathlib.Path(pyspark.__file__).parent
        self.processes, self.logs, self.session = [], folder, None
        self.environment = {**os.environ, "SPARK_HOME": str(self.home), "SPARK_LOCAL_IP": "127.0.0.1",
                            "SPARK_WORKER_DIR": str(folder / "work"), "PYSPARK_PYTHON": sys.executable}
        here, web = ["--host", "127.0.0.1"], lambda: ["--webui-port", transport.free_port()]
        port = transport.free_port()
        self.master = f"spark://127.0.0.1:{port}"
        self.start("master", "org.apache.spark.deploy.master.Master", *here, "--port", port, *web())
        assert transport.waits(lambda: transport.listens(port), within=STARTS_WITHIN_S), "the master did not start"
        for at in (1, 2):
            self.start(f"worker{at}", "org.apache.spark.deploy.worker.Worker", *here, "-c", 2, "-m", "2g", *web(), self.master)
        port = transport.free_port()
        settings = {
            "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.cores.max": 2, "spark.executor.cores": 1, "spark.executor.memory": "1g",
            "spark.sql.shuffle.partitions": 4, "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": port,
            "spark.connect.execute.reattachable.senderMaxStreamDuration": f"{STREAM_S}s",
        }
        words = ["--master", self.master, "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        words += [word for pair in settings.items() for word in ("--conf", "=".join(map(str, pair)))]
        self.server = self.start("connect", None, *words, "spark-internal")
        assert transport.waits(lambda: transport.listens(port), self.server, within=STARTS_WITHIN_S), "no Spark Connect"
        self.connect(folder, port)
        self.name = f"Spark {pyspark.__version__}, 2 workers"

    def start(self, name, main, *words):
        program = ["spark-class", main] if main else ["spark-submit"]
        command = [f"{self.home}/bin/{program[0]}", *program[1:], *map(str, words)]
        log = open(self.logs / f"{name}.log", "w")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=self.environment, cwd=self.logs))
        return self.processes[-1]

    def opens_a_shop(self, bin):
        program = bin / "spark-sql"
        program.write_text(SPARK_SQL.format(home=self.home, master=self.master))
        program.chmod(0o755)

    def close(self):
        self.leave()
        # Who depends on others first.
        for process in reversed(self.processes):
            transport.stop(process)


def streams(checks, folder, spark):
    """An answer that takes longer than a stream lasts is whole; and what holds for every server of Spark Connect."""
    long = "SELECT count(*) AS n FROM range(40000) AS a CROSS JOIN range(40000) AS b WHERE (a.id * b.id) % 1000003 = 7"
    slow = long.replace("40000", "400000")
    began = time.monotonic()
    done = checks.ask("spark", spark.url, long, timeout=900)
    took = time.monotonic() - began
    good = done.returncode == 0 and len(json.loads(done.stdout)["n"]) == 1 and took > 2 * STREAM_S
    checks.say(f"an answer after {took:.0f} s, where streams end after {STREAM_S} s", good, done.stderr)
    transport.connect(checks, folder, "Spark", spark.url, slow, lambda: transport.stop(spark.server, signal.SIGKILL))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clickaudit", required=True)
    parser.add_argument("--query", required=True)
    parser.add_argument("--keep", help="a folder for all files, to look at them")
    options = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    folder = pathlib.Path(options.keep or scratch.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    checks, began = transport.Checks(pathlib.Path(options.query).resolve()), time.monotonic()
    spark = Cluster(folder)
    try:
        print(f"{spark.name}: there after {time.monotonic() - began:.0f} s", flush=True)
        faults = engines.held(options, engines.runner(options), folder, [spark])
        spark.leave()
        streams(checks, folder, spark)
    finally:
        spark.close()
    for fault in faults:
        print(fault)
    print(f"{time.monotonic() - began:.0f} s in all")
    sys.exit(1 if faults or checks.failures else 0)


if __name__ == "__main__":
    main()
