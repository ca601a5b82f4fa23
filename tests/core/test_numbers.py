from dendrix.core.numbers import mixed_seed


def test_seeds_of_neighbouring_runs_and_streams_differ() -> None:
    assert mixed_seed(0, 7) == 7
    assert len({mixed_seed(seed, number) for seed in range(20) for number in range(20)}) == 400
