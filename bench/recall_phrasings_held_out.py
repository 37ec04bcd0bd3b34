"""How the questions of `recall_questions.py` are worded for measuring only: written before there was a parser of time words.

Whoever works on the understanding of questions leaves this file closed and looks at rates alone. Wordings of the kinds "where_now",
"where_before_moved", "where_put" and "state_now" follow the query templates of Ego4D's episodic memory benchmark (arXiv 2110.07058, appendix F.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HELD_OUT: Mapping[str, Sequence[str]] = {
    "what_moved_between": (
        "Which things changed places from {t1} to {t2}?",
        "Between {t1_pm} and {t2_pm}, which objects did somebody move?",
        "Has anything been moved after {t1} and before {t2}?",
        "I was out from {t1} until {t2}, what got moved?",
    ),
    "what_moved_since": (
        "Which things have been moved since {time}?",
        "Has anything changed its place after {time_pm}?",
        "Since {time}, what did people move around?",
        "Anything that was moved from {time} on?",
    ),
    "what_put_on": (
        "What did you leave on the {place}?",
        "Which object ended up on the {place} because you brought it there?",
        "What have you set down on the {place} today?",
        "Tell me what you put onto the {place}.",
    ),
    "what_said_about": (
        "Did {person} mention the {thing}?",
        "What was it {person} told you regarding the {thing}?",
        "Do you recall {person}'s words about the {thing}?",
        "Remind me what {person} wanted you to know about the {thing}.",
    ),
    "where_now": (
        "Where is my {thing}?",
        "In what location can I find the {thing}?",
        "I am looking for the {thing}, any idea?",
        "Where has the {thing} gone?",
    ),
    "where_at": (
        "Where did the {thing} stand at around {time}?",
        "At {time_pm}, in which spot was the {thing}?",
        "Do you know where the {thing} was when it was {time}?",
        "What was the location of the {thing} at {time}?",
    ),
    "where_put": (
        "Where did you put the {thing}?",
        "To which place did you bring the {thing}?",
        "Where have you left the {thing}?",
        "You carried the {thing} somewhere, where to?",
    ),
    "when_moved": (
        "At which hour did the {thing} change its place?",
        "When has somebody moved the {thing}?",
        "How long ago was the {thing} moved?",
        "What time was it when you noticed that the {thing} had been moved?",
    ),
    "when_put": (
        "At what time of day did you bring the {thing} to the {place}?",
        "When was it that you placed the {thing} on the {place}?",
        "How long is it since you set the {thing} on the {place}?",
        "What time did the {thing} get to the {place}?",
    ),
    "when_gone": (
        "Since when is the {thing} missing?",
        "When did the {thing} disappear?",
        "At what time did you find out that the {thing} is no longer there?",
        "When was the {thing} gone?",
    ),
    "first_seen": (
        "What time did you come across the {thing} for the first time?",
        "When was your very first sight of the {thing}?",
        "When did the {thing} first catch your eye?",
        "Show me the earliest moment at which you noticed the {thing}.",
    ),
    "last_seen": (
        "When did you see the {thing} most recently?",
        "What is the latest moment you had the {thing} in view?",
        "When did I last see the {thing} through your eyes?",
        "At what time did you set eyes on the {thing} last?",
    ),
    "first_done": (
        "When was the earliest time that you {did} the {device}?",
        "What time was it when you {did} the {device} the first time?",
        "The first time you {did} the {device}, when was that?",
        "When today did you initially {do} the {device}?",
    ),
    "last_done": (
        "When did you {do} the {device} most recently?",
        "How long ago have you last {done} the {device}?",
        "The last time you {did} the {device}, when was it?",
        "What was the most recent time the {device} was {done}?",
    ),
    "where_before_moved": (
        "Where was the {thing} before somebody moved it?",
        "At what place was the {thing} prior to being moved?",
        "Where did the {thing} use to be until it was moved?",
        "Which place did the {thing} have before it changed places?",
    ),
    "last_seen_before": (
        "Before you {did} the {device}, when was the {thing} last in view?",
        "What was your last look at the {thing} prior to the moment you {did} the {device}?",
        "When had you seen the {thing} last, before the {device} was {done}?",
        "When did you last notice the {thing} before you went to {do} the {device}?",
    ),
    "done_after": (
        "Once you had {done} the {device}, what came next?",
        "What was the next thing you did after the {device} was {done}?",
        "After you {did} the {device}, what did you do?",
        "What followed directly after you {did} the {device}?",
    ),
    "done_before": (
        "What was the thing you did right before the {device} was {done}?",
        "Just before you {did} the {device}, what were you doing?",
        "What did you do last before you {did} the {device}?",
        "What preceded the moment when you {did} the {device}?",
    ),
    "times_done": (
        "How many times today was the {device} {done}?",
        "Count how often you {did} the {device}.",
        "On how many occasions did you {do} the {device}?",
        "Tell me every time you {did} the {device}.",
    ),
    "times_moved": (
        "How many times has the {thing} changed its place?",
        "Count how often somebody moved the {thing}.",
        "On how many occasions was the {thing} moved?",
        "How frequently did people move the {thing}?",
    ),
    "state_now": (
        "What state is the {device} in: {state} or {opposite}?",
        "Did somebody leave the {device} {state}?",
        "Is the {device} still {state} or is it {opposite}?",
        "Can you check whether the {device} is {state}?",
    ),
    "state_at": (
        "At {time_pm}, was the {device} {state} or {opposite}?",
        "Had the {device} been left {state} by {time}?",
        "What state was the {device} in at {time}?",
        "Do you know if the {device} was {state} around {time}?",
    ),
}
