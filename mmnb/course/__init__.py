"""The course: handouts, exercises and grading."""
