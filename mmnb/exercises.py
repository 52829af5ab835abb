"""Short name of `mmnb.course.exercises`, for `import mmnb.exercises`."""

import sys

from mmnb.course import exercises

sys.modules[__name__] = exercises
