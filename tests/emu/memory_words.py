# SPDX-License-Identifier: MIT
"""What `gpa -j` and `sept -j` must say of a Linux TD of 1 GiB.

Each function gets the JSON objects of both answers and returns what is wrong, or None.
"""
import typing

SIZE_4K, SIZE_2M = 4 << 10, 2 << 20
RAM = 1 << 30
SWIOTLB = 64 << 20  # What Linux sets aside in a TD of up to 1 GiB.
GOOD_REASONS = {"measured", "partly shared"}


class Run(typing.NamedTuple):
    """A line of either word: [start, end) and all that it says."""

    start: int
    end: int
    says: dict


def runs(records, key=None, value=None):
    """The lines, all or those whose `key` is `value`; what is no line has no `from`."""
    return [Run(int(r["from"], 16), int(r["to"], 16), r) for r in records
            if "from" in r and (key is None or r[key] == value)]


def pages_4k(sept_runs):
    return sum(run.says["pages_4k"] for run in sept_runs)


def touched(run):
    """Numbers of the 2M regions of which the run has something."""
    return set(range(run.start // SIZE_2M, -(-run.end // SIZE_2M)))


def covered(run):
    """Numbers of those of which it has everything."""
    return set(range(-(-run.start // SIZE_2M), run.end // SIZE_2M))


def union(sets):
    return set().union(*sets)


def wrong_gpa(gpa, _):
    """The runs must be all of RAM, end to end, of one kind and the other by turns."""
    found = runs(gpa)
    ends = [0, *(run.end for run in found)]
    kinds = [run.says["kind"] for run in found]
    if [run.start for run in found] != ends[:-1] or ends[-1] != RAM:
        return "the runs do not cover the RAM"
    if any(a == b for a, b in zip(kinds, kinds[1:])):
        return "two neighbours are of one kind"
    return None


def wrong_swiotlb(gpa, _):
    sizes = [run.end - run.start for run in runs(gpa, "kind", "shared")]
    return None if SWIOTLB in sizes else f"shared runs have {sizes} bytes"


def wrong_reasons(_, sept):
    """Every 4K page is in a line, and none could be part of a 2M page."""
    listed = pages_4k(runs(sept))
    if listed != sept[0]["pages_4k"]:
        return f"the lines have {listed} pages of 4K, the mirror {sept[0]['pages_4k']}"
    others = [run.says for run in runs(sept) if run.says["reason"] not in GOOD_REASONS]
    return f"not at 2M: {others}" if others else None


def wrong_levels(gpa, sept):
    """Listed is where both kinds are, and only that; all else that is private is 2M pages."""
    mixed = union(touched(run) - covered(run) for run in runs(gpa))
    shared = union(covered(run) for run in runs(gpa, "kind", "shared"))
    listed = union(touched(run) for run in runs(sept, "reason", "partly shared"))
    if listed != mixed:
        return f"partly shared are the 2M regions {mixed}, listed {listed}"
    large = RAM // SIZE_2M - len(mixed) - len(shared)
    if sept[0]["pages_2m"] != large:
        return f"{sept[0]['pages_2m']} pages of 2M, expected {large}"
    return None


def wrong_sum(gpa, sept):
    """Private by the mirror and by the GPA map is the same, but for the measured pages."""
    private = sum(run.end - run.start for run in runs(gpa, "kind", "private"))
    expected = private + pages_4k(runs(sept, "reason", "measured")) * SIZE_4K
    found = sept[0]["private_bytes"]
    return None if found == expected else f"{found} bytes are mapped, expected {expected}"
