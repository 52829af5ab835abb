"""The course: hand-outs, exercises and grading."""
