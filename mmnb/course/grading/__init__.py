"""Grade a folder of submissions: points and feedback for every exercise, whatever a submission does.

Each exercise runs in a process of its own (`sandbox.py`) with limits on time, memory and files, and returns its answers as JSON. The grading
process compares them with the reference on inputs drawn from a fresh seed (`judge.py`), so a submission cannot change its points by replacing
the checks or hard-coding answers. This protects against accidents and tricks; it is no jail. Grade strangers' work in a container.
"""
