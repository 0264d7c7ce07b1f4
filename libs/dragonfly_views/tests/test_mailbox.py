from __future__ import annotations

from dragonfly_views.mailbox import Mail, Mailbox
from hypothesis import given
from hypothesis import strategies as st


def make_mailbox() -> tuple[Mailbox[str, int], list[str]]:
    calls: list[str] = []
    return Mailbox(lambda: calls.append("mail")), calls


def test_only_the_newest_state_waits_and_says_how_many_it_replaced() -> None:
    mailbox, _ = make_mailbox()
    for state in (1, 2, 3):
        mailbox.put("a", state)
    assert mailbox.take() == Mail("a", 3, 2)
    assert mailbox.take() is None


def test_replaced_counts_anew_after_each_take() -> None:
    mailbox, _ = make_mailbox()
    mailbox.put("a", 1)
    mailbox.put("a", 2)
    mailbox.take()
    mailbox.put("a", 3)
    assert mailbox.take() == Mail("a", 3, 0)


def test_a_busy_key_does_not_overtake_a_quiet_one() -> None:
    mailbox, _ = make_mailbox()
    mailbox.put("quiet", 1)
    for state in range(5):
        mailbox.put("busy", state)
        mailbox.put("quiet", state)
    assert [mail.key for mail in iter(mailbox.take, None)] == ["quiet", "busy"]


def test_mail_is_announced_once_while_something_waits() -> None:
    mailbox, calls = make_mailbox()
    mailbox.put("a", 1)
    mailbox.put("a", 2)
    mailbox.put("b", 1)
    assert calls == ["mail"]
    while mailbox.take():
        pass
    mailbox.put("a", 3)
    assert calls == ["mail", "mail"]


def test_dropped_mail_is_gone() -> None:
    mailbox, _ = make_mailbox()
    mailbox.put("a", 1)
    mailbox.drop("a")
    mailbox.drop("never there")
    assert mailbox.take() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_nothing_is_lost_uncounted_and_states_never_go_back(steps: list[tuple[str, bool]]) -> None:
    mailbox, _ = make_mailbox()
    put: dict[str, int] = {}
    accounted: dict[str, int] = {}
    for key, take in steps:
        put[key] = put.get(key, 0) + 1
        mailbox.put(key, put[key])
        assert len(mailbox) <= len(put)
        if take and (mail := mailbox.take()):
            accounted[mail.key] = accounted.get(mail.key, 0) + 1 + mail.replaced
            assert mail.state == accounted[mail.key]
    while mail := mailbox.take():
        accounted[mail.key] = accounted.get(mail.key, 0) + 1 + mail.replaced
    assert accounted == put
