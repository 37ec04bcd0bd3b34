"""How the questions of `recall_questions.py` are worded: the understanding of time words may be written after these.

Slots: ``{thing}`` and ``{device}`` categories, ``{place}`` what a thing lies on, ``{person}`` a name, ``{time}``, ``{t1}``, ``{t2}`` times of day ("14:30";
``{time_pm}``: "2:30 pm"), ``{do}``, ``{did}``, ``{done}`` a deed ("open", "opened", "opened"), ``{state}`` and ``{opposite}`` ("open", "closed").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DEVELOPMENT: Mapping[str, Sequence[str]] = {
    "what_moved_between": (
        "What was moved between {t1} and {t2}?",
        "Which objects were moved between {t1_pm} and {t2_pm}?",
        "What did somebody move from {t1} to {t2}?",
        "What has changed its place between {t1} and {t2}?",
    ),
    "what_moved_since": (
        "What was moved since {time}?",
        "What has been moved since {time_pm}?",
        "Which objects were moved after {time}?",
        "What has changed its place since {time}?",
    ),
    "what_put_on": (
        "What did you put on the {place}?",
        "Which thing did you place on the {place}?",
        "What have you put down on the {place}?",
        "What was it that you brought to the {place}?",
    ),
    "what_said_about": (
        "What did {person} say about the {thing}?",
        "What did {person} tell you about the {thing}?",
        "What were you told about the {thing} by {person}?",
        "Did {person} say anything about the {thing}?",
    ),
    "where_now": (
        "Where is the {thing}?",
        "Where can I find the {thing}?",
        "Find the {thing}.",
        "Where is the {thing} now?",
    ),
    "where_at": (
        "Where was the {thing} at {time}?",
        "At {time_pm}, where was the {thing}?",
        "Where could one find the {thing} at {time}?",
        "Where did you see the {thing} around {time}?",
    ),
    "where_put": (
        "Where did you put the {thing}?",
        "Where did you place the {thing}?",
        "On what did you put the {thing} down?",
        "Where did you take the {thing}?",
    ),
    "when_moved": (
        "When was the {thing} moved?",
        "At what time was the {thing} moved?",
        "When did somebody move the {thing}?",
        "When did the {thing} change its place?",
    ),
    "when_put": (
        "When did you put the {thing} on the {place}?",
        "At what time did you place the {thing} on the {place}?",
        "When did you bring the {thing} to the {place}?",
        "What time was it when you put the {thing} on the {place}?",
    ),
    "when_gone": (
        "When did you notice that the {thing} was gone?",
        "Since when has the {thing} been gone?",
        "When did the {thing} vanish?",
        "At what time was the {thing} missing?",
    ),
    "first_seen": (
        "When did you first see the {thing}?",
        "When did you see the {thing} for the first time?",
        "When was the first time you saw the {thing}?",
        "When was the {thing} seen first?",
    ),
    "last_seen": (
        "When did you last see the {thing}?",
        "When was the last time you saw the {thing}?",
        "When did you see the {thing} the last time?",
        "When was the {thing} last seen?",
    ),
    "first_done": (
        "When did you first {do} the {device}?",
        "When was the first time you {did} the {device}?",
        "When did you {do} the {device} for the first time?",
        "When was the {device} first {done}?",
    ),
    "last_done": (
        "When did you last {do} the {device}?",
        "When was the last time you {did} the {device}?",
        "When did you {do} the {device} the last time?",
        "When was the {device} last {done}?",
    ),
    "where_before_moved": (
        "Where was the {thing} before it was moved?",
        "Where had the {thing} been before it was moved?",
        "Before it was moved, where was the {thing}?",
        "Where did you see the {thing} before somebody moved it?",
    ),
    "last_seen_before": (
        "When did you last see the {thing} before you {did} the {device}?",
        "When was the last time you saw the {thing} before you {did} the {device}?",
        "Before you {did} the {device}, when did you last see the {thing}?",
        "When did you see the {thing} last before you {did} the {device}?",
    ),
    "done_after": (
        "What did you do after you {did} the {device}?",
        "What did you do right after you {did} the {device}?",
        "After you {did} the {device}, what did you do next?",
        "What happened after you {did} the {device}?",
    ),
    "done_before": (
        "What did you do before you {did} the {device}?",
        "What did you do right before you {did} the {device}?",
        "Before you {did} the {device}, what did you do?",
        "What happened before you {did} the {device}?",
    ),
    "times_done": (
        "How often did you {do} the {device}?",
        "How many times did you {do} the {device}?",
        "How often was the {device} {done}?",
        "How many times have you {done} the {device}?",
    ),
    "times_moved": (
        "How often was the {thing} moved?",
        "How many times was the {thing} moved?",
        "How often did somebody move the {thing}?",
        "How many times has the {thing} been moved?",
    ),
    "state_now": (
        "Is the {device} {state}?",
        "Is the {device} {state} or {opposite}?",
        "Tell me whether the {device} is {state}.",
        "Is the {device} still {state}?",
    ),
    "state_at": (
        "Was the {device} {state} at {time}?",
        "Was the {device} {state} or {opposite} at {time}?",
        "At {time_pm}, was the {device} {state}?",
        "Tell me whether the {device} was {state} at {time}.",
    ),
}
