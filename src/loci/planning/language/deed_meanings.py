"""What requests about the robot's own deeds can mean, and what each meaning is made of: `readings` learns them from `sentences/deeds.json`."""

from __future__ import annotations

from collections.abc import Mapping

#: What each meaning is made of: what is wanted, of which end of the carrying, of which deeds, in which order.
PARTS: Mapping[str, tuple[str, str, str, str]] = {
    "placed_on": ("thing", "target", "name+place", "-"),
    "color": ("thing", "-", "color", "-"),
    "color_of": ("thing", "-", "color_of", "-"),
    "moved": ("thing", "-", "name", "-"),
    "untouched": ("thing", "-", "untouched", "-"),
    "furniture_from": ("furniture", "source", "name", "-"),
    "furniture_to": ("furniture", "target", "name", "-"),
    "back": ("place", "source", "name", "-"),
    "beside": ("thing", "target", "beside", "-"),
    "room_from": ("room", "source", "name", "-"),
    "room_to": ("room", "target", "name", "-"),
    "room_most": ("room", "source", "most", "-"),
    "nth": ("thing", "-", "nth", "-"),
    "nth_from": ("furniture", "source", "nth", "-"),
    "nth_to": ("furniture", "target", "nth", "-"),
    "after": ("thing", "-", "after", "-"),
    "before": ("thing", "-", "before", "-"),
    "at_time": ("thing", "-", "at_time", "-"),
    "later": ("thing", "-", "later", "-"),
    "longest": ("thing", "-", "longest", "-"),
    "shortest": ("thing", "-", "shortest", "-"),
    "longest_to": ("furniture", "target", "longest", "-"),
    "all": ("thing", "-", "all", "-"),
    "all_furniture": ("furniture", "target", "all", "-"),
    "all_rooms": ("room", "source", "all", "-"),
    "in_order": ("thing", "-", "all", "fwd"),
    "reversed": ("thing", "-", "all", "rev"),
    "two": ("thing", "-", "two", "-"),
    "taken_from": ("thing", "source", "name+place", "-"),
    "room_nth_from": ("room", "source", "nth", "-"),
    "room_nth_to": ("room", "target", "nth", "-"),
    "took": ("thing", "-", "took", "-"),
    "longest_from": ("furniture", "source", "longest", "-"),
    "shortest_to": ("furniture", "target", "shortest", "-"),
    "all_furniture_from": ("furniture", "source", "all", "-"),
    "all_rooms_to": ("room", "target", "all", "-"),
    "furniture_in_order": ("furniture", "target", "all", "fwd"),
    "sources_in_order": ("furniture", "source", "all", "fwd"),
}
