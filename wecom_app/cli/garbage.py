"""How a process that stays up collects garbage; called by the commands that run until they are stopped."""

import gc

YOUNG_OBJECTS = 10_000
"""Objects made before the young are looked through: with Python's 700 a page of tagged customers costs a tenth more."""


def collect_seldom() -> None:
    """Leave what stands now out of collections, and collect less often.

    It lives as long as the process. Going through it made one welcome in sixty wait 0.2 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
