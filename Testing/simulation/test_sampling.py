"""Maps of a head, smoothed only where they are looked at."""

import numpy as np
import pytest
from scipy import ndimage

from DaTscanAILib.simulation.sampling import smoothed


@pytest.mark.parametrize(
    ("low", "high"), [((-3, -2, -4), (24, 30, 20)), ((6, 9, 3), (11, 14, 8)), ((14, 18, 9), (30, 31, 32))]
)
@pytest.mark.parametrize("edge", [0, 8])
def test_smoothing_around_the_places_is_that_of_the_whole_map(low, high, edge):
    random = np.random.default_rng(3)
    volume = np.zeros((20, 24, 16), np.float32)
    volume[edge // 2 :, edge:, edge // 2 :] = random.random((20 - edge // 2, 24 - edge, 16 - edge // 2))
    places = random.uniform(low, high, (400, 3)).T
    whole = ndimage.gaussian_filter(volume, 0.9, truncate=4)
    seen, expected = (
        ndimage.map_coordinates(map_, places, order=1) for map_ in (smoothed(volume, 0.9, places), whole)
    )
    np.testing.assert_array_equal(seen, expected)
    assert np.count_nonzero(expected) > 5


def test_nothing_to_see_is_nothing():
    volume = np.ones((6, 7, 8), np.float32)
    assert not smoothed(np.zeros_like(volume), 1.0, np.ones((3, 2))).any()
    assert not smoothed(volume, 1.0, np.ones((3, 0))).any()
    assert not smoothed(volume, 1.0, np.full((3, 2), -40.0)).any()
