from __future__ import annotations

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import better_support

KNOWN = forecast_of(a=(0.5, 10.0), b=(0.5, 20.0), c=(0.5, 30.0), d=(0.5, 40.0), e=(0.5, 50.0), f=(0.5, 60.0))
SETTLED = {"resolved_at": "2026-03-11", "transfers": 0, "reopened": False, "channel": "phone", "agent_id": "S1"}


def asked(who, day="2026-03-10", **more):
    """A question that went well, settled the day after the tenth of March, but for what is given."""
    return {"customer_id": who, "opened_at": day} | SETTLED | more


def shop(*questions, **tables):
    return shop_of(purchases(a=["2026-01-01", "2026-03-01"], b=["2026-03-01"]), tickets=frame("tickets", *questions), **tables)


def facts(*questions):
    return better_support.diagnose(shop(*questions), CUTOFF).facts


def listed(*questions, **tables):
    found = better_support.act(shop(*questions, **tables), CUTOFF, KNOWN)
    return found["pseudonym"].tolist(), [reason.rsplit(".", 1)[1] for reason in found["reason"]], found["arguments"].tolist()


def test_settled_at_the_first_contact_is_neither_handed_on_nor_opened_again_nor_explained_twice():
    found = facts(asked("a"), asked("b", transfers=1), asked("c", reopened=True), asked("d", repeat_explained=True),
                  asked("e", resolved_at=None))  # fmt: skip

    assert (found["first_contact"].value, found["first_contact"].n) == (0.25, 4)
    assert (found["handed_on"].value, found["reopened"].value, found["explained_again"].value) == (0.2, 0.25, 0.2)


def test_a_question_ends_with_the_bot_alone_when_it_is_settled_and_no_person_took_it():
    bot = {"channel": "bot", "agent_id": None}
    found = facts(
        asked("a"),
        asked("b", **bot),
        asked("c", **bot, resolved_at=None),
        asked("d", channel="bot"),
        asked("e", **bot, reopened=True),
    )

    assert (found["bot_share"].value, found["bot_share"].n) == (0.8, 5)
    assert (found["bot_alone"].value, found["bot_alone"].n) == (0.5, 4)
    assert found["bot_reopened_gap"].value == 0.5


def test_where_nobody_writes_down_who_answered_no_question_is_said_to_have_ended_with_the_bot():
    assert facts(asked("a", agent_id=None), asked("b", channel="bot", agent_id=None))["bot_alone"].value == 0.0


def test_questions_are_set_against_all_orders_of_the_year():
    assert facts(asked("a"), asked("b"), asked("b", "2024-12-01"))["per_hundred"].value == pytest.approx(100 * 2 / 3)


def test_who_was_passed_around_lately_is_on_the_list_the_unsettled_first():
    who, why, told = listed(
        asked("a", "2025-06-10", transfers=3, resolved_at=None),  # still open, however long ago
        asked("b", transfers=2),
        asked("c", transfers=1), asked("c", "2026-03-12", transfers=1, resolved_at="2026-03-13"),  # handed on once, twice
        asked("d", reopened=True),
        asked("e", transfers=1),  # once only
        asked("f", "2025-10-01", transfers=4, resolved_at="2025-10-02"),  # long ago and settled
    )  # fmt: skip

    assert who == ["a", "d", "c", "b"]
    assert why == ["open", "reopened", "handed", "handed"]
    assert [each["n"] for each in told] == [3, 0, 2, 2]
    assert (told[0]["days"], told[1]["days"]) == (294, 21)


def test_who_waits_for_one_answer_and_had_another_opened_again_is_called_about_the_one_that_waits():
    who, why, told = listed(
        asked("a", reopened=True), asked("a", "2026-03-26", resolved_at=None),
        asked("b", reopened=True), asked("b", "2026-03-01", resolved_at=None),
        asked("c", "2026-03-01", resolved_at=None),
    )  # fmt: skip

    assert (who, why) == (["b", "a"], ["open_again", "open_again"])
    assert told == [{"n": 0, "days": 30}, {"n": 0, "days": 5}]


def test_the_sixty_days_begin_with_the_sixtieth_day_before_the_end():
    far = {"transfers": 2, "resolved_at": "2026-01-31"}

    assert listed(asked("a", "2026-01-30", **far), asked("b", "2026-01-31", **far))[0] == ["b", "a"]
    assert listed(asked("c", "2026-01-30", **far | {"resolved_at": "2026-01-30"}))[0] == []


def test_a_solution_is_owed_also_to_who_refused_letters_and_to_who_is_not_known():
    register = frame("customers", {"customer_id": "b", "consent_contact": False})

    assert listed(asked("b", transfers=2), asked("x", transfers=2), customers=register)[0] == ["b", "x"]


def test_a_question_settled_before_it_was_asked_is_left_out_and_said():
    wrong = shop(asked("a", transfers=2), asked("b", "2026-03-12", transfers=2))
    found = better_support.diagnose(wrong, CUTOFF)

    assert found.facts["tickets"].value == 1
    assert better_support.act(wrong, CUTOFF, KNOWN)["pseudonym"].tolist() == ["a"]
    assert [message.args["n"] for message in found.messages if message.key == "practice.contradicting"] == [1]


def test_the_sum_counts_hand_overs_and_the_questions_that_went_roughly():
    worth = better_support.value(shop(asked("a", transfers=3), asked("b", reopened=True), asked("c", transfers=1)), CUTOFF, KNOWN)

    rows = worth.rows.set_index("key")["value"]
    assert (rows["better-support.worth.handovers"], rows["practice.worth.occasions"], rows["practice.worth.save_value"]) == (4, 2, 15.0)


def test_in_a_chain_bots_and_hand_overs_are_counted_as_they_are():
    simulated, cutoff, truth = chain("null", 2000)
    known, found = truth["support"], better_support.diagnose(simulated, cutoff).facts

    for name, true in (("bot_share", "bot_share"), ("bot_alone", "bot_only_share"), ("reopened", "reopened_share")):
        low, high, _ = found[name].interval
        assert low < known[true] < high
    assert found["bot_reopened_gap"].interval[0] > 0, "who ends with a bot alone comes back with the question"


def test_what_a_slow_reply_did_is_not_blamed_on_the_hand_over():
    """A slow reply goes with hand-overs (150 of 200 against 50) and keeps people away (80 of 200 return, not 160); hand-overs do not."""
    questions, back = [], {}
    for slow, rough_of_four, back_of_five in ((True, 3, 2), (False, 1, 4)):
        for at in range(200):
            who = f"{'slow' if slow else 'fast'}{at}"
            replied = "2025-10-07" if slow else "2025-10-01"
            questions.append(
                asked(who, "2025-10-01", first_reply_at=replied, transfers=2 * (at % 4 < rough_of_four), resolved_at="2025-10-09")
            )
            back[who] = ["2025-09-01"] + ["2025-11-01"] * (at // 4 % 5 < back_of_five)
    followed = better_support.rough_against_smooth(shop_of(purchases(**back), tickets=frame("tickets", *questions)), CUTOFF)

    assert followed.facts["return_gap"].value == pytest.approx(0.2)
    assert followed.grade == "C"
    assert abs(followed.difference) < 0.05


def test_being_handed_on_changes_nobody_in_the_simulated_shop_and_nothing_else_is_said():
    simulated, cutoff, truth = chain("null", 2000)
    followed = better_support.rough_against_smooth(simulated, cutoff)

    assert truth["support"]["effect"] == 0
    assert followed.comparison.adjusted.low < 0 < followed.comparison.adjusted.high
    assert "unclear" in followed.said(better_support.SLUG)[0].key
