"""Grading a folder of submissions: points and feedback for every exercise, whatever a submission does.

A submission is never trusted. Each exercise runs in a process of its own, with limits on time, memory and files, and all that process can
do is hand back answers as plain numbers (`answer.py`). What the answers should be is worked out here, at grading time, from inputs drawn
with a fresh seed; so a submission that replaces the checks, hard-codes answers or writes its own report gains nothing by it.

This is protection against accidents and tricks, not a jail: a hostile program can still use the account that grades. Grade strangers'
work in a container. Nothing is imported here: every graded exercise starts a process that needs little of this package.
"""
