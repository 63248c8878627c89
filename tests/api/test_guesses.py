"""Wrong tokens, counted per address."""

from api.guesses import MOST_ADDRESSES, Guesses


def test_an_address_waits_after_its_guesses_and_others_do_not() -> None:
    guesses = Guesses(at_once=3, one_more_every_s=10.0)
    for _ in range(3):
        assert guesses.wait_s("192.0.2.1", 0.0) == 0
        guesses.note("192.0.2.1", 0.0)
    assert guesses.wait_s("192.0.2.1", 0.0) == 10
    assert guesses.wait_s("192.0.2.2", 0.0) == 0
    assert guesses.wait_s("192.0.2.1", 10.0) == 0
    guesses.note("192.0.2.1", 10.0)
    assert guesses.wait_s("192.0.2.1", 10.0) == 10
    assert guesses.wait_s("192.0.2.1", 1000.0) == 0


def test_one_machine_has_a_whole_network_of_ipv6() -> None:
    guesses = Guesses(at_once=1, one_more_every_s=10.0)
    guesses.note("2001:db8::1", 0.0)
    assert guesses.wait_s("2001:db8::2", 0.0) == 10
    assert guesses.wait_s("2001:db8:0:1::1", 0.0) == 0


def test_many_addresses_cost_no_memory() -> None:
    guesses = Guesses()
    for number in range(MOST_ADDRESSES + 5):
        guesses.note(f"host-{number}", 0.0)
    assert len(guesses._forgotten) == MOST_ADDRESSES
