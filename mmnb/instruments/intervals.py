"""Former name of `mmnb.instruments.estimate`."""

from mmnb.aliases import renamed

__getattr__ = renamed(__name__, {"mean_interval": "mmnb.instruments.estimate.mean_interval"})
