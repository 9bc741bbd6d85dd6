"""One function on many items with several processes, the results in the order of the items; torch on one thread."""

from collections.abc import Callable, Iterable, Iterator
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
