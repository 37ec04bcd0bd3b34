"""Example sentences of every intent, for what no cue tells: the nearest one in meaning decides, if it is near enough.

Things are "the thing", furniture "the table", rooms "the room", purposes "do it". The sentences are our own; adding one is how a wording that
nobody thought of is taught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

Group = Literal["command", "question"]

#: Smallest cosine with an example that decides, for all-MiniLM-L6-v2, and by how much other intents must be behind it.
NEAR, AHEAD = 0.55, 0.02

EXAMPLES: Mapping[Group, Mapping[str, Sequence[str]]] = {
    "command": {
        "find": (
            "find the thing", "go to the thing", "where did the thing end up, take me there", "I would love to see the thing", "the thing is where I want to be",
            "any chance that you could guide me to the thing?", "would you mind going to the thing?", "hunt for the thing", "I want to get to the thing",
            "I have lost the thing, help me get it back", "could you track the thing down", "I need to know where the thing stands, go there", "please be at the thing",
            "set a course for the thing", "your destination is the thing", "bring yourself to the thing", "the thing is your goal", "I could do with a look at the thing",
            "wheel over to the thing", "move yourself next to the thing", "stop in front of the thing", "try to spot the thing", "keep an eye out for the thing",
            "head over to the thing", "could you show me where the thing is by driving there?", "the thing, please",
            "I am looking for the thing, can you lead me there", "get yourself next to the thing, would you", "you should go and see the thing",
            "where's the thing? bring me to it", "robot, your destination is the thing", "track down the thing for me, thanks",
            "the thing must be around here, go seek it",
            "make a beeline for the thing", "I must have the thing in sight", "I would like a closer look at the thing", "point me towards the thing", "meet me at the thing",
            "next stop: the thing", "you are needed at the thing", "position yourself near the thing", "come to a halt next to the thing",
        ),
        "carry": (
            "put the thing on the thing", "the thing should end up at the thing", "I could do with the thing on the thing", "would you mind bringing the thing to the thing?",
            "the thing wants to go to the thing", "any chance that the thing gets onto the thing?", "make sure that the thing is on the thing", "the place of the thing is the thing",
            "move the thing from where it is to the thing", "I would be happy to have the thing on the thing", "store the thing at the thing", "shift the thing over to the thing",
            "the thing has to be taken to the thing", "let the thing be placed on the thing", "what I need is the thing on the thing", "the thing is missing on the thing",
            "the thing lives on the thing", "swap the thing over to the thing", "I would like to find the thing on the thing later", "pop the thing onto the thing",
            "the thing belongs on the thing, so take it there", "could you drop the thing off at the thing?", "pick up the thing and leave it on the thing",
            "onto the thing with the thing!", "the thing is where I want the thing", "grab the thing and deposit it on the thing",
            "on the thing, kindly set the thing", "haul the thing across to the thing", "the thing should be taken to the thing",
            "relocate the thing so that it stands on the thing",
            "I'd like the thing to be on the thing", "drop the thing off at the thing, would you", "find me the thing and set it down on the thing",
            "the thing needs the thing, go get it", "on the thing I want the thing", "go pick up the thing, then deposit it on the thing",
            "transport the thing over to the thing, please", "the thing should be lying on the thing when I come back", "grab the thing and take it to the thing",
        ),
        "open": (
            "open the thing", "I need to get into the thing", "would you mind opening the thing?", "the thing must not stay closed", "I could do with the thing open",
            "could the thing be opened", "let me look inside the thing", "the thing is shut, change that", "give me access to the thing", "swing the thing wide",
            "any chance that you open the thing?", "the thing ought to stand open", "crack the thing open", "have the thing opened", "make the thing accessible",
            "could you get the thing open for me?", "the thing needs to be opened", "would you mind opening the thing",
            "the thing is shut, please change that", "see that the thing stands open", "make the thing open, thank you",
            "leave the thing wide open", "the thing has to be open when I arrive", "go to the thing and open it",
            "swing the thing open",
        ),
        "close": (
            "close the thing", "the thing must not stay open", "would you mind shutting the thing?", "I could do with the thing closed", "the thing stands open, change that",
            "could the thing be closed", "somebody left the thing open, see to it", "any chance that you close the thing?", "have the thing shut", "seal the thing",
            "push the thing to", "the thing ought to be shut", "nobody should look inside the thing", "make sure the thing does not stay open", "pull the thing shut",
        ),
        "switch_on": (
            "switch on the thing", "I could do with the thing running", "would you mind turning the thing on?", "get the thing to work", "I want to use the thing, start it",
            "the thing needs power", "any chance that you start the thing?", "bring the thing to life", "fire up the thing", "the thing is off, change that",
            "press the button that starts the thing", "have the thing turned on", "set the thing in motion", "let the thing run", "give the thing some electricity",
            "could you get the thing running?", "the thing should be on", "start the thing up, please",
            "power up the thing", "the thing is off, make it go on", "put the thing on, would you, it has to be powered",
            "activate the thing now", "flip the thing on", "the thing needs to be turned on",
            "press the button that turns on the thing", "light up the thing", "give power to the thing", "hit the power of the thing", "boot the thing", "enable the thing",
        ),
        "switch_off": (
            "switch off the thing", "the thing must not run any longer", "would you mind turning the thing off?", "cut the power of the thing", "I am done with the thing, shut it down",
            "the thing wastes power", "any chance that you stop the thing?", "the thing is still running, change that", "kill the thing", "put the thing to sleep",
            "press the button that stops the thing", "have the thing turned off", "let the thing rest", "the thing is on for no reason", "take the power away from the thing",
            "could you shut the thing down?", "the thing should be off", "kill the power of the thing",
            "power down the thing, please", "the thing is still on, make it stop", "nobody needs the thing running any more, turn it off",
            "deactivate the thing now", "the thing has to be turned off", "cut the thing off, we have to save electricity",
            "go to the thing and switch it off",
            "press the button that turns off the thing", "end the operation of the thing", "quit the thing", "the thing should not be running", "put the thing out",
        ),
        "clean": (
            "clean the thing", "the thing is filthy", "would you mind wiping the thing?", "I could do with a cleaner thing", "get rid of the stains on the thing",
            "the thing could use a scrub", "any chance that you clean the thing?", "make the thing shine", "remove the dirt from the thing", "the thing looks grubby, take care of it",
            "run a cloth over the thing", "apply a cloth to the thing", "have the thing washed", "freshen up the thing", "give the thing a good wash", "I cannot stand the stains on the thing",
            "could you give the thing a good wipe?", "the thing is filthy, do something about it", "the thing needs a wash",
            "get the dirt off the thing", "rub the thing down with a cloth", "the thing has to be washed",
            "there are stains on the thing, remove them", "rinse the thing for me", "dust off the thing",
        ),
        "other": (
            "sing a song", "tell me a joke", "make coffee", "what is your name", "dance with the thing", "count to ten", "play some music", "how is the weather", "paint the thing", "eat the thing",
            "break the thing", "throw the thing away", "cook dinner", "repair the thing", "buy the thing", "call my mother", "write a letter", "do nothing", "charge your battery", "talk to the thing",
        ),
    },
    "question": {
        "where": (
            "where is the thing?", "I cannot find the thing", "has anybody seen the thing?", "in which part of the house is the thing?", "the thing is gone, any idea where it is?", "what became of the thing?",
            "which room contains the thing?", "where do we keep the thing?", "where did I leave the thing?", "could you tell me the whereabouts of the thing?", "where would I find the thing?",
            "do you happen to know where the thing is kept?", "I have been looking for the thing, can you help?", "what place has the thing?", "the thing is in which room?", "where should I look for the thing?",
            "I can't find the thing, where did it go?", "whereabouts is the thing?", "the thing: where is it?",
            "in what part of the house do we keep the thing?", "location of the thing?", "have you any idea in which room the thing is",
            "which room holds the thing?", "where have they put the thing?", "where does the thing live?",
        ),
        "relation": (
            "what is on the thing?", "what has been put on the thing?", "which object lies on the thing?", "name what stands on the thing", "what did somebody leave on the thing?", "is anything lying on the thing?",
            "what does the thing hold?", "what would I find on the thing?", "tell me what is standing on top of the thing", "what do you see on the thing?", "what is the thing covered with?", "what occupies the thing?",
            "which things are lying on the thing?", "what have we got on the thing?", "name everything on top of the thing",
            "is there anything on the thing, and what?", "what's been left on the thing?", "tell me which objects rest on the thing",
            "the thing has what on it?", "contents of the surface of the thing?", "what items does the thing carry",
            "which objects can be found on the thing?",
        ),
        "color": (
            "what colour is the thing?", "what colour does the thing have?", "which colour was the thing painted?", "how is the thing coloured?", "is the thing red or green?", "describe the colour of the thing",
            "what is the thing's colour?", "what does the thing look like in terms of colour?", "what hue has the thing?", "the thing is of what colour?",
            "the thing is which colour?", "do you remember the color of the thing?", "describe the colour of the thing, please",
            "what shade has the thing?", "in what color is the thing painted?", "colour of the thing?",
            "the thing comes in what color?", "could you say what color the thing has", "how would you call the color of the thing?",
        ),
        "count": (
            "how many things are in the room?", "count the things in the room", "what is the number of things in the room?", "do you know how many things the room has?", "the room has how many things?",
            "how large is the number of things in the room?", "tell me the count of things in the room", "in the room, what number of things is there?", "how many things did you notice in the room?",
            "how many things has the room got?", "could you count how many things we have in the room, please", "the room contains how many things?",
            "I wonder how many things the room has", "how many things would I find if I went to the room?", "give me a count of the things in the room",
            "how many things could you make out in the room?", "say how many things there are in the room",
        ),
        "state": (
            "is the thing open?", "is the thing closed?", "has somebody left the thing open?", "did we shut the thing?", "do I have to close the thing?", "is the thing open or shut?", "what state is the thing in?",
            "can one look into the thing right now?", "did anybody open the thing?", "tell me if the thing is closed", "does the thing stand open?", "was the thing left open?", "is the thing ajar?",
            "has the thing been left open?", "do you know if the thing is open?", "would you check whether the thing is shut",
            "the thing: open or shut?", "can you tell if the thing stands open?", "did anyone shut the thing?",
            "what is the state of the thing, open or closed?", "is the thing still open?", "has someone opened the thing?",
            "is the thing shut or not?",
        ),
        "use_for": (
            "what can I use to do it?", "is there something to do it with?", "what would help me to do it?", "which object is good for doing it?", "I want to do it, what do I need?", "what tool do I take to do it?",
            "with what can I do it?", "name something that I can do it with", "what do we have for doing it?", "I need something to do it", "which device serves to do it?", "what is suitable for doing it?",
            "how could I do it, is there something here?", "what should I take if I want to do it?", "what could one do it with?",
            "I want to do it. What would help?", "with what could I do it?", "which object here is good if you want to do it?",
            "got anything to do it?", "suppose I wanted to do it, which thing would I need?", "is there a thing in this house with which one can do it?",
            "help me do it: what should I use?", "name something that lets me do it", "do you see any object that could help me do it",
            "what's useful when I have to do it?",
        ),
        "room_for": (
            "in which room can I do it?", "where can I do it?", "which room is there to do it?", "where do people do it here?", "which room is for doing it?", "I want to do it, where do I go?", "what is the place to do it?",
            "where is doing it done in this home?", "what room would you do it in?", "which part of the home is meant for doing it?", "where would one go to do it?", "I would like to do it, which room do I need?",
            "is there a room to do it in?", "where should I go if I want to do it?",
            "I want to do it, where should I go?", "what's the right room if I want to do it?", "which place is meant for people to do it?",
            "to do it, which room do I go to?", "in which part of the home does one do it?", "which room should I use when I need to do it?",
            "tell me in which room a guest can do it", "what room is for people who want to do it?", "I'd like to do it, in which room can that be done?",
            "name the room in which you can do it",
        ),
        "other": (
            "how old is the house?", "who lives here?", "what time is it?", "how is the weather?", "why did you do that?", "what do you think of the thing?", "is the thing expensive?", "who owns the thing?",
            "how heavy is the thing?", "what is the thing made of?", "how does the thing work?", "is the thing new?", "what did you do today?", "can you swim?", "what is the meaning of life?",
        ),
    },
}  # fmt: skip


def nearest_intent(
    text: str, group: Group, encoder: TextEncoder | None, among: Sequence[str] | None = None
) -> str | None:
    """Intent of the example nearest in meaning; "other": none of ours; None: no encoder, nothing near, or two are as near.

    Args:
        text: with its things replaced as in the examples.
        among: intents that come into question; None: all.
    """
    if encoder is None or not text.strip():
        return None
    names = [i for i in EXAMPLES[group] if among is None or i in among]
    sentences = [(i, s) for i in names for s in EXAMPLES[group][i]]
    rows = encoder.encode([text, *(s for _, s in sentences)])  # (1 + N, D); examples stay in the encoder's cache
    cosines = rows[1:] @ rows[0]  # (N,)
    best = {i: max(c for (j, _), c in zip(sentences, cosines, strict=True) if j == i) for i in names}
    ranked = sorted(best, key=lambda i: -best[i])
    if best[ranked[0]] < (NEAR if among is None else 0.0):
        return None
    if among is None and len(ranked) > 1 and float(np.subtract(best[ranked[0]], best[ranked[1]])) < AHEAD:
        return None
    return ranked[0]
