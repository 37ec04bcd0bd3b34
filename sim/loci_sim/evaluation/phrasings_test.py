"""Phrasings of the suites `goals`, `questions` and `household` for measuring only: no parser may be written after them.

Blanks such as ``{thing}`` stand for the words that say what is meant ("mug", "red mug on the counter in the kitchen").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TASKS_TEST: Mapping[str, Sequence[str]] = {
    "goal": (
        "I need to get to the {thing}",
        "head over to the {thing}",
        "could you lead me to the {thing}?",
        "where the {thing} is, that is where I want you to be",
        "your destination is the {thing}",
        "make your way to the {thing}, please",
    ),
    "image": (
        "I took this photo: bring yourself to what is in it",
        "the thing in the middle of this photo is where you should go",
        "match this view and go there",
        "here is a snapshot, get to its subject",
        "reach whatever this photograph shows",
    ),
    "where": (
        "I lost the {thing}, any idea where it might be?",
        "The {thing}: which room do I have to go to?",
        "Whereabouts did you come across the {thing}?",
        "Has the {thing} a place, and which one?",
        "Point me to the {thing}, please.",
    ),
    "what_on": (
        "Somebody put something on the {thing}. What?",
        "Name the object that rests on the {thing}.",
        "If I cleared the {thing}, what would I take away?",
        "Which item occupies the {thing}?",
        "The {thing} carries something; tell me what it is.",
    ),
    "color": (
        "How would you describe the {thing}'s color?",
        "If I bought a second {thing} like ours, which color should I ask for?",
        "The {thing} comes in many colors. Which one is ours?",
        "Paint me the {thing}: which pot do I open?",
        "Remind me of the shade of the {thing}.",
    ),
    "how_many": (
        "Count the {things} in the {room}.",
        "What is the number of {things} in the {room}?",
        "I want to know the quantity of {things} that the {room} holds.",
        "Going through the {room}, I would pass how many {things}?",
        "The {room} has {things}; give me the count.",
    ),
    "is_open": (
        "Do I have to close the {thing}?",
        "Has anyone opened the {thing}?",
        "Should I worry that the {thing} was left open?",
        "Would I find the {thing} standing open?",
        "Check if the {thing} is open for me.",
    ),
    "use_for": (
        "I would like to {purpose}. What would help me?",
        "Suggest an object with which to {purpose}.",
        "Suppose I had to {purpose}: what would I reach for?",
        "My plan is to {purpose}, so what should I fetch?",
        "Name something here that lets me {purpose}.",
    ),
    "place": (
        "I want the {thing} to end up on the {place}",
        "the {thing} belongs on the {place}, see to it",
        "take the {thing} and set it down on the {place}",
        "make sure that the {place} holds the {thing}",
        "deliver the {thing} to where the {place} is and leave it there",
    ),
    "fetch": (
        "I need {thing} on the {place}",
        "have {thing} ready for me on the {place}",
        "get hold of {thing} and leave it on the {place}",
        "the {place} should have {thing} on it",
        "look for {thing} and set it down on the {place}",
    ),
    "open": (
        "I want to look into the {thing}, get it open",
        "the {thing} should not stay closed",
        "make sure that the {thing} is open",
        "see that the {thing} stands open",
        "undo the {thing} for me",
    ),
    "switch_on": (
        "the {thing} should be running",
        "get the {thing} going",
        "power up the {thing}",
        "start the {thing}",
        "make sure that the {thing} is on",
    ),
    "switch_off": (
        "the {thing} need not be running",
        "stop the {thing}",
        "power down the {thing}",
        "put an end to the {thing} wasting electricity",
        "make sure that the {thing} is off",
    ),
    "clean": (
        "the {thing} is dirty, do something about it",
        "make the {thing} shine",
        "get the dirt off the {thing}",
        "see that the {thing} is clean",
        "the {thing} could do with a wash",
    ),
    "room_for": (
        "A guest wants to {activity}; which room do you show them?",
        "I am looking for a room to {activity} in.",
        "What part of this home is meant for somebody who wants to {activity}?",
        "Send me to the right room if I want to {activity}.",
        "To {activity}, one goes where?",
    ),
}
