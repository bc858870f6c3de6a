"""Work in parts over an executor: the one place that knows how `executor=` is used.

Any executor of `concurrent.futures`' kind serves: threads, processes, Dask's client, an MPI pool. Parts are handed out in
order and come back in order, so results do not depend on who did what.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any, TypeVar

from crewe.exceptions import CreweError, InputError, fault

__all__ = ["parts", "spread"]

Part = TypeVar("Part")
Made = TypeVar("Made")

_PARTS = 16
"""So many parts a task is cut into at least, that no worker waits long for the last one."""


def parts(n: int, least: int, workers: int | None = None) -> list[tuple[int, int]]:
    """Cut 0 to n into ranges of much the same length, none shorter than `least` but where n is.

    Examples
    --------
    >>> parts(10, 4)
    [(0, 5), (5, 10)]
    """
    wanted = max(_PARTS, 4 * (workers or 0))
    count = max(1, min(wanted, n // max(least, 1)))
    ends = [n * i // count for i in range(count + 1)]
    return list(itertools.pairwise(ends))


def spread(
    executor: Executor, function: Callable[[Part], Made], each: Iterable[Part]
) -> list[Made]:
    """Give ``function(part)`` of every part, in order, worked out by an executor.

    What is not begun is cancelled when a part fails or the user stops.

    Raises
    ------
    InputError
        Where `executor` takes no work.
    CreweError
        Where its workers died, or a part could not be sent to them.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as threads:
    ...     spread(threads, abs, [-1, 2, -3])
    [1, 2, 3]
    """
    submit: Any = getattr(executor, "submit", None)
    if not callable(submit):
        raise fault(
            InputError,
            f"a {type(executor).__name__} is no executor",
            remedy="Pass for instance concurrent.futures.ProcessPoolExecutor(), or None",
        )
    futures: list[Future[Made]] = []
    try:
        futures.extend(submit(function, part) for part in each)
        return [future.result() for future in futures]
    except (BrokenExecutor, RuntimeError, pickle.PickleError) as error:
        raise fault(
            CreweError,
            f"the executor did not do its work: {type(error).__name__}: {error}",
            remedy="Check that it is open and that its workers have crewe and enough memory; in a script, start "
            "processes under if __name__ == '__main__'",
        ) from error
    finally:
        for future in futures:
            future.cancel()
