"""What would flip the choice of a shipped fleet that takes long to search, held to what the fast tests ask."""

from __future__ import annotations

from tests import test_flips_told as told


def test_every_flip_of_the_slow_fleet_is_true_as_it_is_told() -> None:
    told.test_every_flip_told_names_another_option_which_wins_once_its_value_alone_is_set(told.SLOW)
    told.test_every_value_said_is_beyond_where_the_choice_flips_by_less_than_its_last_digit(told.SLOW)
