"""One function on many items with several processes, the results in the order of the items; torch on one thread."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


def in_order(function: Callable, items: Iterable, workers: int = 1) -> Iterator:
    """Results as they become ready, in the order of the items.

    Args:
        function: of one item; it must be picklable if there are several workers.
        items: its arguments.
        workers: processes, each with one thread for its numerical libraries; 1 works in this process.
    """
    if workers == 1:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        yield from Parallel(n_jobs=workers, return_as="generator")(delayed(function)(item) for item in items)


def in_threads(function: Callable, items: Iterable) -> list:
    """Results in the order of the items, as many at a time as torch has threads, each with one thread of torch.

    So the sums behind every result are those of one thread, whatever the machine. A single item has all of torch's
    threads. Only worth it for long calls of torch, which let other threads of Python run meanwhile.
    """
    import torch

    items = list(items)
    if len(items) < 2:
        return list(map(function, items))
    at_once = min(torch.get_num_threads(), len(items))
    with one_thread():
        if at_once == 1:
            return list(map(function, items))
        with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(function, items))


@contextmanager
def one_thread():
    """Sums of one thread, as long as the block runs: the same on every machine and with any number of workers."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
