"""One vocabulary of cue words: verbs with their inflections, order, quantity and state words, and the words that carry no content.

Only words are told here; what they mean together is decided in `reading` and `deeds`.
"""

from __future__ import annotations

from collections.abc import Iterable

VOWELS = "aeiou"
#: Past forms that no rule makes.
_IRREGULAR = {
    "go": "went gone", "bring": "brought", "take": "took taken", "put": "put", "set": "set", "lay": "laid", "leave": "left", "get": "got gotten",
    "find": "found", "see": "saw seen", "show": "shown", "lead": "led", "drive": "drove driven", "shut": "shut", "hold": "held", "keep": "kept", "give": "gave given",
    "come": "came", "seek": "sought", "run": "ran", "make": "made", "begin": "began begun", "hang": "hung", "stick": "stuck", "light": "lit",
    "wipe": "wiped wiping", "choose": "chose chosen", "have": "had", "lift": "lifted", "sweep": "swept", "steal": "stole stolen", "stand": "stood", "sit": "sat", "lie": "lay lain lying", "rid": "rid", "forget": "forgot forgotten",
}  # fmt: skip


def inflections(verb: str) -> set[str]:
    """All forms of a verb: "carry" -> carry, carries, carried, carrying."""
    forms = {verb, *_IRREGULAR.get(verb, "").split()}
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return forms | {verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing"}
    if verb.endswith("e"):
        return forms | {verb + "s", verb + "d", verb[:-1] + "ing"}
    ending = "es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s"
    doubles = (
        len(verb) <= 6
        and sum(c in VOWELS for c in verb) == 1
        and verb[-1] not in VOWELS + "wxy"
        and verb[-2] in VOWELS
        and verb[-3] not in VOWELS
    )
    stem = verb + verb[-1] if doubles else verb
    return forms | {verb + ending, stem + "ing", stem + "ed"}


def forms_of(verbs: str | Iterable[str]) -> frozenset[str]:
    """All forms of several verbs, given as one text between blanks."""
    names = verbs.split() if isinstance(verbs, str) else verbs
    return frozenset(form for verb in names for form in inflections(verb))


# --- what a robot can be told to do -----------------------------------------------------------------------------------

GO = "find locate seek search look see show go drive navigate head walk travel proceed approach visit reach lead guide escort steer roll return track spot come run step view inspect check march cruise hurry rush ride wander stroll wheel maneuver stop park accompany direct point detect identify discover tour"
CARRY = "bring carry put place move take set lay transfer transport deliver drop leave deposit relocate stow store fetch get hang shift haul convey pass position stick plonk pop return rest park send put unload stash lug arrange ferry provide supply slide reposition rearrange"
PICK = "pick grab fetch get grasp lift collect take clutch seize retrieve remove gather snatch obtain"
OPEN = "open undo unclose unlock unlatch reopen"
CLOSE = "close shut lock reclose"
SWITCH = "switch turn power flip flick toggle put click get leave keep have shut set boot start fire"
ACTIVATE = "activate start enable light ignite boot illuminate run energize energise"
DEACTIVATE = "deactivate stop disable extinguish kill douse halt unplug cut"
CLEAN = (
    "clean wash wipe scrub polish rinse dust scour mop cleanse sponge sanitize sanitise disinfect hoover vacuum freshen"
)

#: What a thing does by itself, or what is said of it: these words end its name.
SAYING = "belong end land live need want prefer expect require serve help like wish look become remain seem appear happen use lack miss deserve contain own share support"
#: Verbs whose particle "up" or "down" means power.
POWER = "light switch turn power flip flick toggle shut boot start fire click shutting"

GO_FORMS, CARRY_FORMS, PICK_FORMS = forms_of(GO), forms_of(CARRY), forms_of(PICK)
OPEN_FORMS, CLOSE_FORMS, CLEAN_FORMS = forms_of(OPEN), forms_of(CLOSE), forms_of(CLEAN)
SAYING_FORMS = forms_of(SAYING) | frozenset(
    "furnished equipped painted coloured colored holding standing lying sitting exist exists".split()
)
POWER_FORMS = forms_of(POWER)
SWITCH_FORMS, ACTIVATE_FORMS, DEACTIVATE_FORMS = forms_of(SWITCH), forms_of(ACTIVATE), forms_of(DEACTIVATE)
ACTIONS = frozenset().union(
    GO_FORMS,
    CARRY_FORMS,
    PICK_FORMS,
    OPEN_FORMS,
    CLOSE_FORMS,
    SWITCH_FORMS,
    ACTIVATE_FORMS,
    DEACTIVATE_FORMS,
    CLEAN_FORMS,
)
IS_OPEN = frozenset("open opened ajar opening unlocked".split())
IS_CLOSED = frozenset("closed shut close locked closing".split())
IS_ON = frozenset("on running going working lit active activated started glowing powered".split())
IS_OFF = frozenset("off out inactive deactivated stopped dark".split())
IS_DIRTY = frozenset("dirty filthy grimy stained dusty messy unclean dirt grime stain stains mess smudges".split())
IS_CLEAN = frozenset("clean spotless washed wiped shiny sparkling tidy hygienic".split())
NEGATIONS = frozenset("not no never nobody nothing none without neither nor cannot".split())

# --- nouns that are no things -----------------------------------------------------------------------------------------

#: "Give it a wipe", "do me a favour": nouns after an article that name no thing to go to.
NO_THINGS = frozenset(
    "dust presence hold grip attention tally sum button switch operation clue idea wash wipe clean scrub rinse polish dusting cleaning washing look hand favour favor moment minute second way drive trip go dirt time try visit order "
    "robot bit lot good chance case ride hurry wiping scrubbing polishing job task sure mess grime stain stains front side vicinity direction "
    "location position place spot whereabouts top surface color colour hue shade tint number count amount total quantity state "
    "current destination goal target power room rooms thing things object objects item items anything something everything one ones kind sort type day once home house flat apartment".split()
)

# --- words without content --------------------------------------------------------------------------------------------

DETERMINERS = frozenset("the a an my your our his her their this that these those some any another".split())
PREPOSITIONS = frozenset(
    "on in at to onto into upon from off over under near beside by inside within behind below beneath above towards toward of with for about around across through next close along before after until up down out back against atop underneath".split()
)
PRONOUNS = frozenset(
    "i you me we us he she they them it its one ones who whom someone somebody anyone anybody everyone people myself yourself itself mine yours there here".split()
)
AUXILIARIES = frozenset(
    "is are was were be been being am do does did done doing have has had having will would shall should may might must could ought need needs needed want wants wanted like let lets".split()
)
#: "can" is a thing, too ("paint can"): it is told apart by what stands before it.
MODALS = AUXILIARIES | {"can"}
QUESTION_WORDS = frozenset("where what which who whose when why how whether whereabouts".split())
FILLERS = frozenset(
    "please kindly just now then so and or but also too as well hey hi hello ok okay thanks thank robot loci dear again right away immediately quickly maybe perhaps possible possibly "
    "anymore altogether ideally preferably nearby if unless otherwise because since while that which than such really actually still currently already yet soon today ever simply gently carefully first next finally lastly afterwards later "
    "sure certain able happy glad great nice good mean wish hope wonder guess think say believe know tell mind ask idea any chance way 'd 'll 've 're 'm 's d ll ve re m s t "
    "rather directly straight properly anyway instead only even very quite suppose supposed remember many much more all usually normally exactly".split()
)
FUNCTION_WORDS = DETERMINERS | PREPOSITIONS | PRONOUNS | MODALS | QUESTION_WORDS | FILLERS | NEGATIONS

# --- order, time and number -------------------------------------------------------------------------------------------

ORDINALS = tuple("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split())
ORDINAL_OF = {
    **{word: i for i, word in enumerate(ORDINALS)},
    **{f"{i + 1}{'st' if i == 0 else 'nd' if i == 1 else 'rd' if i == 2 else 'th'}": i for i in range(12)},
    **{f"number {word}": i for i, word in enumerate("one two three four five six".split())},
    "last": -1, "final": -1, "latest": -1,
}  # fmt: skip
NUMBER_OF = {
    word: i for i, word in enumerate("no one two three four five six seven eight nine ten eleven twelve".split())
}
