"""Tasks on several processes of this machine or of a dask cluster; a process that is killed costs no other task."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.version import VERSION

_LEAST_MEMORY = 2 * 2**30
_lock = threading.Lock()


def unordered(function: Callable, tasks: list[tuple], pool: Callable) -> Iterator[tuple[tuple, object | None]]:
    """Each task with its result, as they become ready.

    Where a process of this machine is killed, the tasks that may have been in it are repeated one by one; one whose
    process is killed twice then gets None for its result, so no task can keep the others from being done. A cluster
    gives the tasks of a killed worker to the others itself; see `once`.

    Args:
        function: must be picklable.
        tasks: arguments of its calls.
        pool: `processes(n)` or `cluster(address)`.

    Raises:
        DaTscanError: the cluster cannot be used.
    """
    pending = dict(enumerate(tasks))
    while pending:
        started = []
        try:
            for index, result in _run(function, pending, started, pool):
                yield pending.pop(index), result
        except _Killed:
            for index in [index for index in started if index in pending]:
                yield pending[index], _alone(function, index, pending, pool)
                del pending[index]


class _Killed(Exception):  # noqa: N818 - it is no error yet
    """A process of the pool was killed."""


def _alone(function, index, pending, pool):
    for _ in range(2):  # it may not have been begun when the pool went down, and be killed by chance now
        try:
            return next(result for _, result in _run(function, {index: pending[index]}, [], pool))
        except _Killed:
            continue
    return None


def _run(function, pending, started, pool):
    """(index, result) of the pending tasks; `started` takes the indices in the order in which they are given out."""
    from joblib import Parallel, delayed

    def calls():
        for index, task in list(pending.items()):
            started.append(index)
            yield delayed(_numbered)(index, function, task)

    with pool() as (backend, killed):
        parallel = Parallel(return_as="generator_unordered", batch_size=1, **backend)
        try:
            yield from parallel(calls())
        except killed as error:
            raise _Killed from error


def _numbered(index, function, task):
    return index, function(*task)


def processes(count: int) -> Callable:
    """A pool of processes of this machine, each with one thread for its numerical libraries."""

    @contextmanager
    def pool():
        from concurrent.futures.process import BrokenProcessPool

        from joblib import parallel_config

        with parallel_config(backend="loky", inner_max_num_threads=1):
            # With one, joblib would work in this process and be killed with it. As many tasks as there are processes
            # are given out, so that few are suspected when one is killed.
            yield {"n_jobs": max(2, count), "pre_dispatch": "n_jobs"}, BrokenProcessPool

    return pool


def cluster(address: str, patience: float = 60.0) -> Callable:
    """The workers of a dask cluster, through joblib.

    Args:
        address: of the scheduler, for example `tcp://10.0.0.1:8786`.
        patience: seconds for the scheduler to answer and for the first worker to be there.
    """

    @contextmanager
    def pool():
        client = _connect(address, patience)
        from joblib import parallel_config
        from joblib.parallel import get_active_backend

        with client, parallel_config(backend="dask", client=client, wait_for_workers_timeout=patience):
            _check_workers(client, address, patience)
            backend, _ = get_active_backend()
            cores = backend.effective_n_jobs
            # With one, joblib would work in this process.
            backend.effective_n_jobs = lambda n_jobs: max(2, cores(n_jobs))
            # All at once, for workers that come later.
            yield {"n_jobs": -1, "pre_dispatch": "all"}, ()

    return pool


def _connect(address, patience):
    try:
        from distributed import Client
    except ImportError as error:
        raise DaTscanError(
            "A scheduler needs the packages dask and distributed: install them, or use --workers instead."
        ) from error
    try:
        return Client(address, set_as_default=False, timeout=patience)
    except (OSError, ValueError) as error:
        raise DaTscanError(
            f"No dask scheduler answers at {address}: start one with `dask scheduler`, or use --workers instead."
        ) from error


def _check_workers(client, address, patience):
    try:
        versions = {client.submit(_version, pure=False).result(timeout=patience)}
    except TimeoutError as error:
        raise DaTscanError(f"The scheduler at {address} has no workers: start some with `dask worker`.") from error
    except ImportError:
        versions = {None}
    if versions != {VERSION}:
        raise DaTscanError(
            f"The workers of {address} do not have DaTscanAI {VERSION}: put the folder of DaTscanAILib on their "
            "PYTHONPATH."
        )


def _version():
    return VERSION


def once(folder: Path, task: str, call: Callable[[], dict]) -> dict | None:
    """The result of a call that a cluster may repeat: kept in a hidden file, so that the work is done once.

    dask repeats what was in a killed worker, and finished tasks whose results it still held. A call that has killed
    two workers is not repeated: joblib 1.6 waits for ever for a task that dask gives up after the fourth.

    Args:
        folder: that all workers can write to.
        task: unique name, of this run too.
        call: gives plain JSON data.

    Returns:
        None for a call that has killed two workers.
    """
    mark = folder / f".{hashlib.sha256(task.encode()).hexdigest()[:32]}.task"
    begun = ""
    with suppress(OSError):
        begun = mark.read_text()
    if begun.startswith("{"):
        return json.loads(begun)
    if len(begun) == 2:
        return None
    with suppress(OSError):  # a full disk is for the call itself to find
        atomic_write_bytes(mark, f"{begun}.".encode())
    result = call()
    with suppress(OSError):
        atomic_write_bytes(mark, json.dumps(result).encode())
    return result


def one_at_a_time():
    """A lock of this process: a dask worker may have several threads, the chain is made for one."""
    return _lock


@cache
def bound_memory(workers: int) -> None:
    """Give this process its share of the machine's memory: beyond it, a case fails before the system kills others.

    Where the system cannot do so (Windows, macOS), or a GPU is there whose driver claims address space, nothing is
    done.
    """
    try:
        import resource

        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limits = resource.getrlimit(resource.RLIMIT_DATA)
    except (ImportError, AttributeError, ValueError, OSError):
        return
    share = max(_LEAST_MEMORY, total // max(1, workers))
    bounded = [limit for limit in (share, *limits) if limit != resource.RLIM_INFINITY]
    if not os.path.exists("/proc/driver/nvidia"):  # noqa: PTH110
        resource.setrlimit(resource.RLIMIT_DATA, (min(bounded), limits[1]))
