"""The two errors of our own; everything else is a `ValueError` or a `TypeError`."""


class DataUnavailable(RuntimeError):
    """Data or a checkpoint that this computer does not have; the message says what to get, how big, which licence, where to put it."""


class NotAttempted(Exception):
    """An exercise that the student has not written yet. Only this may stop a student's notebook."""
