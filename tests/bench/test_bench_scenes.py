"""How long the scenes take: 20,000 with captions, regions and pictures within a minute."""

from mmnb.data import scenes
from mmnb.data.scenes import pictures


def test_twenty_thousand_scenes_take_less_than_a_minute(fastest, ratio):
    def whole() -> None:
        world = scenes.make(20_000, seed=0)
        scenes.detect(world, scenes.Detector(jitter=0.1, parts=1, background=2, missed=0.1), seed=0)
        pictures.render(world)

    ratio("scenes with regions and pictures, N=20,000, CPU seconds", fastest(1, whole=whole)["whole"], at_most=60)
