"""Work in parts over an executor: the one place that knows how `executor=` is used.

Any executor of `concurrent.futures`' kind serves: threads, processes, Dask's client, an MPI pool. A task is cut into ranges
of its numbers (replicates, draws); they are handed out in order and come back in order, so results do not depend on who did
what, nor on how the task was cut.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Any, Protocol, TypeVar

from crewe.exceptions import CreweError, InputError, fault, from_signal

__all__ = ["bar", "parts", "spread"]

Part = TypeVar("Part")
Part_co = TypeVar("Part_co", covariant=True)
Made = TypeVar("Made")


class Counted(Protocol[Part_co]):
    """What can be gone through, and how long it is."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Part_co]: ...


_PARTS = 64
"""So many parts a long task is cut into at least, that no worker waits long for the last one."""

_SILENT_SECONDS = 2.0


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
    executor: Executor | None,
    function: Callable[..., Made],
    n: int,
    least: int,
    what: str = "replicates",
    given: Callable[[int, int], tuple[Any, ...]] = lambda first, end: (first, end),
) -> list[Made]:
    """Give ``function(first, end)`` of ranges that make up 0 to n, in order, worked out by an executor.

    What is not begun is cancelled when a part fails or the user stops. Past two seconds a bar is shown.

    Parameters
    ----------
    executor : Executor or None
        Who does the work; by default whoever calls.
    function : callable of (first, end)
        What is done; with what it holds it must be sent to other processes.
    n : int
        The number of things to do.
    least : int
        The fewest that are worth sending.
    what : str
        What they are, in errors.
    given : callable of (first, end)
        What the function is given of a range, where that is not its ends.

    Raises
    ------
    InputError
        Where `executor` takes no work.
    CreweError
        Where its workers died, or a part could not be sent to them; `values` names the parts that were
        done.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as threads:
    ...     spread(threads, range, 10, 5)
    [range(0, 5), range(5, 10)]
    """
    if executor is None:
        return [function(*given(*ends)) for ends in bar(parts(n, least), unit="part")]
    submit: Callable[..., Future[Made]] | None = getattr(executor, "submit", None)
    if submit is None:
        raise fault(
            InputError,
            f"a {type(executor).__name__} is no executor",
            remedy="Pass for instance concurrent.futures.ProcessPoolExecutor(), or None",
        )
    workers = getattr(executor, "_max_workers", None)
    cut = parts(n, least, workers if isinstance(workers, int) else None)
    futures: list[Future[Made]] = []
    try:
        futures.extend(submit(function, *given(*ends)) for ends in cut)
        return [future.result() for future in bar(futures, unit="part")]
    except CreweError:
        # What the work itself has to say, wherever it was done.
        raise
    except Exception as error:
        raised = from_signal(error)
        if raised is not None:
            raise raised from None
        done = _done(cut, futures)
        raise fault(
            CreweError,
            f"the executor did not do its work: {type(error).__name__}: {error}; "
            f"{sum(end - first for first, end in done):,} of {n:,} {what} were done",
            values=[f"{what} {first} to {end - 1}" for first, end in done],
            remedy="Check that it is open and that its workers have crewe and enough memory; in a script, start "
            "processes under if __name__ == '__main__'",
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _done(cut: list[tuple[int, int]], futures: Sequence[Future[Any]]) -> list[tuple[int, int]]:
    """Give the ranges whose work was done, neighbours as one."""
    done: list[tuple[int, int]] = []
    for (first, end), future in zip(cut, futures, strict=False):
        if not future.done() or future.cancelled() or future.exception() is not None:
            continue
        if done and done[-1][1] == first:
            done[-1] = (done[-1][0], end)
        else:
            done.append((first, end))
    return done


def bar(each: Counted[Part], unit: str, shown: bool | None = None) -> Iterator[Part]:
    """Give every one, and show a bar once that has taken two seconds, or from the start, or never.

    Examples
    --------
    >>> list(bar([1, 2], unit="draw"))
    [1, 2]
    """
    if shown is False:
        yield from each
        return
    from tqdm.auto import tqdm

    began = time.monotonic()
    line = tqdm(total=len(each), unit=unit) if shown else None
    try:
        for i, one in enumerate(each):
            yield one
            if line is None and i + 1 < len(each) and time.monotonic() - began > _SILENT_SECONDS:
                line = tqdm(total=len(each), initial=i, unit=unit)
            if line is not None:
                line.update()
    finally:
        if line is not None:
            line.close()
