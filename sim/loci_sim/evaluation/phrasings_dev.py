"""Phrasings of the suites `goals`, `questions` and `household` that planners may be written after.

Blanks such as ``{thing}`` stand for the words that say what is meant ("mug", "red mug on the counter in the kitchen").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TASKS_DEV: Mapping[str, Sequence[str]] = {
    "goal": (
        "find the {thing}",
        "go to the {thing}",
        "please find the {thing}",
        "navigate to the {thing}",
        "look for the {thing}",
        "take me to the {thing}",
    ),
    "image": (
        "go to what this picture shows",
        "find the thing in this picture",
        "drive to where this picture was taken",
        "look for what you see in this picture",
        "navigate to the thing in this image",
    ),
    "where": (
        "Where is the {thing}?",
        "In which room is the {thing}?",
        "Where can I find the {thing}?",
        "Can you tell me where the {thing} is?",
        "What room is the {thing} in?",
    ),
    "what_on": (
        "What is on the {thing}?",
        "What is on top of the {thing}?",
        "What lies on the {thing}?",
        "What can you see on the {thing}?",
        "What stands on the {thing}?",
    ),
    "color": (
        "What color is the {thing}?",
        "What colour is the {thing}?",
        "Which color does the {thing} have?",
        "What is the color of the {thing}?",
        "Tell me what color the {thing} is.",
    ),
    "how_many": (
        "How many {things} are in the {room}?",
        "How many {things} are there in the {room}?",
        "How many {things} did you see in the {room}?",
        "How many {things} do we have in the {room}?",
        "Tell me how many {things} are in the {room}.",
    ),
    "is_open": (
        "Is the {thing} open?",
        "Is the {thing} open or closed?",
        "Is the {thing} open now?",
        "Did somebody leave the {thing} open?",
        "Tell me whether the {thing} is open.",
    ),
    "use_for": (
        "What can I use to {purpose}?",
        "Is there something to {purpose} with?",
        "What do we have to {purpose}?",
        "Which thing can I use to {purpose}?",
        "What is there to {purpose}?",
    ),
    "place": (
        "put the {thing} on the {place}",
        "bring the {thing} to the {place}",
        "carry the {thing} to the {place}",
        "place the {thing} on the {place}",
        "move the {thing} to the {place}",
    ),
    "fetch": (
        "put {thing} on the {place}",
        "bring {thing} to the {place}",
        "carry {thing} to the {place}",
        "place {thing} on the {place}",
        "move {thing} to the {place}",
    ),
    "open": (
        "open the {thing}",
        "please open the {thing}",
        "go and open the {thing}",
        "open up the {thing}",
        "pull the {thing} open",
    ),
    "switch_on": (
        "switch on the {thing}",
        "turn on the {thing}",
        "switch the {thing} on",
        "turn the {thing} on",
        "please switch on the {thing}",
    ),
    "switch_off": (
        "switch off the {thing}",
        "turn off the {thing}",
        "switch the {thing} off",
        "turn the {thing} off",
        "please switch off the {thing}",
    ),
    "clean": (
        "clean the {thing}",
        "wash the {thing}",
        "wipe the {thing}",
        "please clean the {thing}",
        "scrub the {thing}",
    ),
    "room_for": (
        "In which room can I {activity}?",
        "Which room is there to {activity}?",
        "Where can I {activity}?",
        "In what room would you {activity}?",
        "Where do people {activity} here?",
    ),
}
