"""Grade a folder of submissions: points and feedback for every exercise, whatever a submission does.

`folder.py` finds the cells of each exercise, `judge.py` runs the notebook's own check on hidden inputs, `sandbox.py` is the process of a
submission, which gets one input after the other over a pipe (`wire.py`) and never holds the reference. `isolation.py` puts it into Linux
namespaces where users may make them; elsewhere a submission has the rights of the user who grades, as `mmnb grade --help` says.
"""
