"""Real processes on one database: killed in the middle of a job, and several at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.both, pytest.mark.slow]
PROGRAM = Path(__file__).with_name("job_worker.py")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def start_worker(database_url):
    """Start worker processes that print into one pipe."""
    processes = []

    def start(mode, output):
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), database_url, mode],
            stdin=subprocess.PIPE,
            stdout=output,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.stdin.close()
        assert process.wait(30) in {0, -signal.SIGKILL}


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines:
        yield lines, writing
    os.close(writing)


def read_lines(lines, count):
    return [lines.readline().strip() for _ in range(count)]


def test_jobs_of_a_killed_process_run_again_in_order(make_queue, database, start_worker, pipe):
    lines, output = pipe
    queue = make_queue({"work": None})
    with database.write() as session:
        for number in range(3):
            queue.enqueue(session, "work", {"key": "li", "number": number}, lane="welcome", key="li")
    killed = start_worker("hang", output)
    assert read_lines(lines, 1) == ["begun"]
    killed.kill()
    killed.wait(30)

    start_worker("run", output)

    assert read_lines(lines, 3) == ["li 0", "li 1", "li 2"]


def test_four_processes_run_every_job_once_and_each_key_in_order(make_queue, database, start_worker, pipe):
    lines, output = pipe
    queue = make_queue({"work": None})
    for _ in range(4):
        start_worker("run", output)
    for number in range(20):
        with database.write() as session:
            for key in range(20):
                args = {"key": f"k{key}", "number": number}
                queue.enqueue(session, "work", args, lane="event", key=args["key"], priority=(number + key) % 3)

    ran = [line.split() for line in read_lines(lines, 400)]

    for key in range(20):
        assert [int(number) for name, number in ran if name == f"k{key}"] == list(range(20))
