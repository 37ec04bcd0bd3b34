"""How tasks of the suite `recall` are worded in the "test" split: for measuring only, no parser may be written after these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: Blanks as in `recall_dev`.
RECALL_TEST: Mapping[str, Sequence[str]] = {
    "recall_placed_on": (
        "the {place} got a {thing} from you, head over to it",
        "I am after the {thing} which now sits on the {place} thanks to you",
        "somewhere there is a {place} with a {thing} of your doing; bring me there",
        "stand in front of that {thing} you left lying on the {place}",
        "a {thing} ended up on the {place} because of you: lead the way",
    ),
    "recall_color": (
        "among what passed through your hand one was {color}: lead me there",
        "I need whatever {color} item you relocated",
        "get yourself to the {color} one of your deliveries",
        "something {color} was shifted by you today, stand before it",
        "your hand held a {color} item once; where it lies now is your destination",
    ),
    "recall_color_of": (
        "among what passed through your hand was a {color} {thing}: lead me there",
        "I need the {thing} in {color} which you relocated",
        "get yourself to that {color} {thing} you delivered",
        "a {color} {thing} was shifted by you today, stand before it",
        "your hand held a {color} {thing} once; where it lies now is your destination",
    ),
    "recall_moved": (
        "{a_thing} changed its place because of you: stand before it",
        "I could use {a_thing}, provided it is one of those you relocated",
        "which of today's deliveries was {a_thing}? get there",
        "head for {a_thing} that your hand has held",
        "make your way to {a_thing} whose place you changed",
    ),
    "recall_untouched": (
        "I could use {a_thing}, but none of those you relocated",
        "stand before {a_thing} which stayed where it was all day",
        "head for {a_thing} that your hand has never held",
        "lead me to {a_thing} you left alone",
        "{a_thing} that was not part of your work today is where I want you",
    ),
    "recall_furniture_from": (
        "what did the {thing} lie on when you came for it? get there",
        "lead me to whatever used to carry the {thing} this morning",
        "the {thing} had a stand of its own until you came; that is your destination",
        "I want to see what you lifted the {thing} off",
        "make your way to what you emptied of its {thing}",
    ),
    "recall_furniture_to": (
        "what does the {thing} lie on since you let go of it? get there",
        "lead me to whatever you loaded with the {thing}",
        "you found a new stand for the {thing}; that is your destination",
        "I want to see what you left the {thing} lying on",
        "make your way to what received the {thing} from you",
    ),
    "recall_back": (
        "the {thing} should return home: go there ahead of it",
        "retrace your way to the {thing}'s old spot",
        "where did the {thing} belong this morning? wait there",
        "stand where one would have found the {thing} at the start of the day",
        "lead me to the original position of the {thing}",
    ),
    "recall_if_moved": (
        "if you carried {a_thing} anywhere today, drive up to it; if you didn't, drive up to the {other}",
        "go to the {other}, unless you took {a_thing} somewhere else today, because then I'd rather you went to that",
        (
            "have you transported {a_thing} today? then park yourself by it. you haven't? then park yourself by "
            "the {other}"
        ),
        "please visit the {other} if you never moved {a_thing} today; if you did move one, visit that one",
        "I'd like you next to {a_thing} that you moved today or, if you didn't move one, next to the {other}",
        "if nothing you moved today was {a_thing}, find the {other} for me; if something was, find me that",
        "you moved {a_thing} today? go there. you didn't? go to the {other}, then",
        (
            "think back over the day: if you ever picked up {a_thing} and put it elsewhere, go see it, otherwise "
            "the {other}"
        ),
        (
            "only go to the {other} if you haven't brought {a_thing} from one place to another today; if you "
            "have, go to what you brought"
        ),
        "it's possible that you shifted {a_thing} earlier today. if so, return to it, and if not, try the {other}",
    ),
    "recall_if_room": (
        "if you set something down in the {room} today, drive up to it; if you set nothing down there, to the {other}",
        "please visit the {other} if you put nothing in the {room} today. if you did put something there, visit that",
        "have you taken anything to the {room} today? if yes, go to what you took there. if no, go to the {other}",
        (
            "whatever you brought to the {room} today is what I'd like to see; if you brought nothing there, "
            "show me the {other}"
        ),
        (
            "suppose one of the things you carried today was put down in the {room}: then go find it, else go "
            "find the {other}"
        ),
        (
            "go to the {other}, unless you placed an object in the {room} earlier, because then I'd rather you "
            "went to that"
        ),
        "you moved something to the {room} today? go to that thing. you didn't? go to the {other}, then",
        (
            "if the {room} was where you put a thing at any time today, take me to that thing, otherwise take me "
            "to the {other}"
        ),
        (
            "I can't remember if you put something in the {room} today. if you did, go up to it, if not, go up "
            "to the {other}"
        ),
        (
            "only if nothing was brought to the {room} by you today, find me the {other}; otherwise find me what "
            "you put there"
        ),
    ),
    "recall_if_count": (
        (
            "if you carried more than {number} objects today, go to the one you carried first, otherwise to the "
            "one carried last"
        ),
        (
            "have you moved more than {number} things today? if yes, drive up to the first of them; if no, to "
            "the last of them"
        ),
        (
            "go to the last thing you moved, unless you moved more than {number} today, because then I'd rather "
            "see the first"
        ),
        (
            "if you moved {number} things or fewer today, please visit the most recent one; if more, visit the "
            "very first one"
        ),
        (
            "how many things did you move today? if it's more than {number}, find me the first one, and if it "
            "isn't, the last one"
        ),
        (
            "it depends on whether you've moved more than {number} things today: if so, go to the first, if not, "
            "go to the last"
        ),
        (
            "take me to the first thing you moved today if you moved more than {number} altogether, and to the "
            "last if you didn't"
        ),
        (
            "suppose you carried at most {number} things today: then go to the one you took last. if more, to "
            "the one taken first"
        ),
        (
            "I lost track of today. if you moved more than {number} things, find the one you took first; if not, "
            "the last one"
        ),
        (
            "only when you have shifted more than {number} things today, return to the first one; in all other "
            "cases, the last one"
        ),
    ),
    "recall_beside": (
        "who keeps the {thing} company since you let go of it? get there",
        "the {thing} you relocated has neighbours on what it lies on; stand before one",
        "lead me to anything that shares its stand with the {thing} of your deliveries",
        "I want what lies with the {thing} where you left it, but not that itself",
        "next to the {thing} in its new place there is more; make your way to any of that",
    ),
    "recall_room_from": (
        "what part of the home used to have the {thing}? get there",
        "where one would have met the {thing} this morning, between those walls I want you",
        "lead me to the room that lost its {thing} to you",
        "the {thing} lived in some room until you came; enter it",
        "make your way to the {thing}'s former room",
    ),
    "recall_room_to": (
        "what part of the home has the {thing} since you let go of it? get there",
        "lead me to the room that gained the {thing}",
        "the {thing} lives in another room now, by your doing; enter it",
        "between which walls did your hand release the {thing}? be there",
        "make your way to the {thing}'s new room",
    ),
    "recall_room_most": (
        "which room lost more to you than any other? get there",
        "enter the room that you robbed most often",
        "lead me to where most of your errands began, the room I mean",
        "one room was the origin of more deliveries than the rest; be in it",
        "make your way to the room that was emptied most by you",
    ),
    "recall_nth": (
        "your {nth} errand today was about some item; stand before it",
        "number your deliveries and lead me to the {nth}",
        "of all that your hand has held, the {nth} is your destination",
        "I need the item of your {nth} trip",
        "head for whatever was {nth} to change its place by your doing",
    ),
    "recall_nth_from": (
        "where your {nth} errand began there was a stand of some kind; be there",
        "lead me to what the item of your {nth} trip used to lie on",
        "the {nth} delivery came off something: that is your destination",
        "I want to see what carried the {nth} item before you did",
        "head for the origin of your {nth} delivery, the furniture I mean",
    ),
    "recall_nth_to": (
        "where your {nth} errand ended there is a stand of some kind; be there",
        "lead me to what the item of your {nth} trip lies on now",
        "the {nth} delivery was left on something: that is your destination",
        "I want to see what received the {nth} item from you",
        "head for the end of your {nth} delivery, the furniture I mean",
    ),
    "recall_after": (
        "once the {thing} was done with, which item came next? stand before it",
        "the errand that followed the one with the {thing} had an item; lead me to it",
        "what your hand held next, having let go of the {thing}, is your destination",
        "I need the successor of the {thing} among your deliveries",
        "you relocated the {thing} and then one more item: head for the latter",
    ),
    "recall_before": (
        "which item kept you busy until you turned to the {thing}? stand before it",
        "the errand that preceded the one with the {thing} had an item; lead me to it",
        "what your hand let go of last when it reached for the {thing} is your destination",
        "I need the predecessor of the {thing} among your deliveries",
        "you relocated one item and then the {thing}: head for the former",
    ),
    "recall_at_time": (
        "start a clock at your opening grasp: at {time} your hand was full of what? stand before it",
        "when {time} had gone by since your opening grasp, some item was under way; lead me to it",
        "what travelled with you at {time} on the clock of your errands is your destination",
        "I need the item that was in transit {time} into your work",
        "head for whatever was being delivered {time} into your errands",
    ),
    "recall_later": (
        "start a clock at your opening grasp: what did you reach for when it showed over {time}? any will do",
        "any delivery that began when over {time} had gone by since the opening grasp is your destination",
        "leave out the first {time} of your errands and lead me to an item of the rest",
        "I need one of those items that you grasped over {time} into your work",
        "head for an item that had to wait for over {time} of your errands",
    ),
    "recall_longest": (
        "which delivery took more time than all others? stand before its item",
        "lead me to what stayed in your hand more than anything else",
        "the item of your slowest errand is your destination",
        "I need what you were reluctant to let go of: its trip lasted most",
        "head for the item whose journey with you had the greatest duration",
    ),
    "recall_shortest": (
        "which delivery took less time than all others? stand before its item",
        "lead me to what stayed in your hand less than anything else",
        "the item of your quickest errand is your destination",
        "I need what you let go of soonest after grasping it",
        "head for the item whose journey with you had the least duration",
    ),
    "recall_longest_to": (
        "where did your slowest delivery end? I mean the furniture, be there",
        "lead me to what received the item that stayed in your hand more than anything else",
        "the stand at the end of your slowest errand is your destination",
        "I want to see what holds the item whose trip lasted most",
        "head for the furniture that ended the journey of the greatest duration",
    ),
    "recall_all": (
        "inspect everything that changed its place by your doing",
        "make a round of your deliveries, whichever way suits you",
        "stand once before each item that your hand has held",
        "I want a tour of what you relocated, and it does not matter what comes first",
        "no item of today's errands should be left out: see each one",
    ),
    "recall_all_furniture": (
        "inspect everything that you loaded with an item",
        "make a round of the furniture that received your deliveries, whichever way suits you",
        "stand once before each stand where your hand let go of an item",
        "I want a tour of the furniture at the ends of your errands, and it does not matter what comes first",
        "no furniture that you burdened should be left out: see each one",
    ),
    "recall_all_rooms": (
        "inspect each room that lost an item to you",
        "make a round of the rooms where your errands began, whichever way suits you",
        "be once in each room where your hand grasped an item",
        "I want a tour of the rooms that you robbed, and it does not matter what comes first",
        "no room that gave you an item should be left out: see each one",
    ),
    "recall_in_order": (
        "inspect everything that changed its place by your doing, from the earliest on to the latest",
        "replay your deliveries: see each item as they came",
        "stand once before each item that your hand has held, beginning with what it held at the start",
        "I want a tour of what you relocated, chronologically",
        "one after the other, as the day went: see each item of your errands",
    ),
    "recall_reversed": (
        "inspect everything that changed its place by your doing, from the latest back to the earliest",
        "rewind your deliveries: see each item, the newest at the start",
        "stand once before each item that your hand has held, beginning with what it held at the end",
        "I want a tour of what you relocated, backwards in time",
        "one after the other, as if the day ran backwards: see each item of your errands",
    ),
    "recall_two": (
        "two stops: the item of your {nth} errand, followed by that of the {mth}",
        "lead me to delivery number {nth} and on from there to the {mth}",
        "begin at the {nth} item your hand has held and end at the {mth}",
        "I need to see the item of your {nth} trip, and once I have, that of your {mth}",
        "head for what was {nth} to change its place, and after that for what was {mth}",
    ),
    "recall_taken_from": (
        "the {place} used to have a {thing} on it until you came along; where is that {thing} now? go there",
        "lead me to whichever {thing} left the {place} in your hand",
        "somebody misses the {thing} from the {place}: stand next to it",
        "you cleared a {thing} off the {place}, show me where it went",
        "head for the {thing} whose old spot was the {place}",
    ),
    "recall_room_nth_from": (
        "in some room you got hold of your {nth} item; head there",
        "bring me to the room where your {nth} pick happened",
        "pick number {nth} took place in a certain room, stand in it",
        "which room lost the {nth} item of your tour? go in there",
        "I want to be in the room where item {nth} was before you came",
    ),
    "recall_room_nth_to": (
        "some room received your {nth} item; head there",
        "bring me to the room where your {nth} delivery ended",
        "delivery number {nth} went to a certain room, stand in it",
        "which room gained the {nth} item of your tour? go in there",
        "I want to be in the room where item {nth} is now thanks to you",
    ),
    "recall_took": (
        "one delivery kept you busy for {time}: stop at that item",
        "between grasp and release of one item there were {time}, show it to me",
        "{time} is how long one item travelled with you; head for it",
        "look for the item whose trip lasted {time}",
        "I mean the item that was in your hand during {time} in all, approach it",
    ),
    "recall_longest_from": (
        "your most drawn-out delivery began at some piece of furniture: go and stand there",
        "where did the item lie whose trip took the most time? head there",
        "show me the starting point of the slowest delivery",
        "the slowest of your deliveries started at a piece of furniture, approach it",
        "bring me to the place that held the item with the longest trip",
    ),
    "recall_shortest_to": (
        "your quickest delivery ended at some piece of furniture: go and stand there",
        "where does the item lie whose trip took the least time? I mean the furniture under it",
        "show me the end point of the fastest delivery",
        "the fastest of your deliveries ended on a piece of furniture, approach it",
        "bring me to the place that received the item with the shortest trip",
    ),
    "recall_all_furniture_from": (
        "stop once at each place that is an item poorer because of you",
        "make a round of whatever you cleared things off",
        "one after the other, as you like: every spot where you grasped an item",
        "show me each piece of furniture that something left today",
        "I want to see all the starting points of your deliveries",
    ),
    "recall_all_rooms_to": (
        "look into each room that is an item richer because of you",
        "make a round of the rooms that got a delivery",
        "one after the other, as you like: every room where a delivery ended",
        "show me each room that something arrived in today",
        "I want to see all the rooms your deliveries went to",
    ),
    "recall_furniture_in_order": (
        "retrace the end points of your deliveries from the earliest to the latest",
        "stop where each item ended up, beginning with the first delivery and ending with the last",
        "follow today's deliveries by where they ended, oldest to newest",
        "the places that received items: call at them as time went by",
        "first delivery's end point, second's, and so on, please",
    ),
    "recall_sources_in_order": (
        "retrace the starting points of your deliveries from the earliest to the latest",
        "stop where each item came from, beginning with the first delivery and ending with the last",
        "follow today's deliveries by where they began, oldest to newest",
        "the places that lost items: call at them as time went by",
        "first delivery's starting point, second's, and so on, please",
    ),
}
