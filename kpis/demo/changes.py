"""The improvements Halden works on: what for, by whom, and how far each has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kpis.demo.story import NEW_APP, NEW_CARTON, NEW_TIP


@dataclass(frozen=True)
class Change:
    """`planned`, `begun`, `shipped`, `checked` and `withdrawn` are so many weeks ago, None where it has not come to that."""

    title: str
    problem: str
    kind: str
    team: str
    stage: str
    owner: str
    answers: Sequence[str]  # themes
    planned: float
    due: float  # weeks ago; below 0, still to come
    begun: float | None = None
    shipped: float | None = None
    checked: float | None = None
    withdrawn: float | None = None
    public_text: str = ""


CHANGES: Final[Sequence[Change]] = (
    Change(
        "Tip of the steam wand from one piece",
        "Milk dries behind the three-part tip, and its spring gets lost in the sink.",
        "corrective", "product-design", "design", "sofia@halden.example", ("steam-bad", "steam-praise"),
        planned=25.5, due=14, begun=23, shipped=NEW_TIP, checked=5,
        public_text="Every new machine has a steam tip made from one piece, which wipes clean in seconds. It fits older"
        " machines too: write to us and we send you one.",
    ),
    Change(
        "Stronger carton with corner pads",
        "One delivery in twenty arrives with a dent, and most of these cartons were soft or soaked.",
        "corrective", "logistics", "logistics", "jonas@halden.example", ("delivery-damage", "delivery-good"),
        planned=21, due=11, begun=17, shipped=NEW_CARTON, checked=3,
        public_text="Your machine now travels in a double-walled carton with padded corners that keeps out the rain.",
    ),
    Change(
        "Pairing that tries again by itself (app 4.2)",
        "The app gives up after one lost packet, and people pair again every morning.",
        "corrective", "app", "design", "daniel@halden.example", ("app-pairing",),
        planned=20, due=13, begun=18, shipped=NEW_APP, checked=4,
        public_text="From version 4.2 on, the app finds your machine again by itself after it has lost it.",
    ),
    Change(
        "Descaling card in every box",
        "The guide stops at step four. A card with five pictures may be all that is needed.",
        "corrective", "repair", "service", "rosa@halden.example", ("descaling",),
        planned=15, due=9, begun=13, shipped=9,
        public_text="There is now a card with five pictures in every box, and the same card on our pages to print.",
    ),
    Change(
        "Quieter burr set from a second supplier",
        "The grinder is the loudest of its class. The second supplier's burrs measure 4 dB less.",
        "corrective", "purchasing", "sourcing", "wei@halden.example", ("grinder",),
        planned=18, due=8, begun=14, shipped=7,
        public_text="New machines grind with a quieter set of burrs. Ask us if you would like it in yours.",
    ),
    Change(
        "Re-seat every tank seal of batch H4-2231",
        "Seals of this batch were pressed in with a worn tool and sit twisted on the left. All stock is checked by hand"
        " before it ships, and affected customers get a new tank.",
        "containment", "quality", "quality", "priya@halden.example", ("seal-leak",),
        planned=1.7, due=-1.4, begun=0.8,
    ),
    Change(
        "New pressing tool with a wear counter",
        "A worn tool went unnoticed for a whole batch. The tool has to say itself when it is due.",
        "preventive", "assembly", "production", "karl@halden.example", ("seal-leak",),
        planned=0.6, due=-9,
    ),
    Change(
        "Check VAT numbers when an order is placed",
        "One invoice in thirty goes out with an old or mistyped VAT number, often to the same customers again.",
        "corrective", "repair", "service", "paul@halden.example", ("billing",),
        planned=8, due=-2, begun=5,
    ),
    Change(
        "Weigh every parcel before it is closed",
        "A missing portafilter weighs 480 g: a scale at the packing table would notice.",
        "preventive", "logistics", "logistics", "leila@halden.example", ("missing-part",),
        planned=6, due=-3, begun=3,
    ),
    Change(
        "Descaling reminder by litres in the app",
        "People forget to descale. The machine counts its litres already, the app could tell.",
        "corrective", "app", "design", "daniel@halden.example", ("descale-reminder",),
        planned=10, due=-8,
    ),
    Change(
        "Hand parcels over in person only",
        "Parcels left in the rain. The courier offers delivery by signature for two euros more.",
        "containment", "logistics", "logistics", "leila@halden.example", ("delivery-damage", "late-delivery"),
        planned=19, due=12, begun=18, withdrawn=15,
    ),
)  # fmt: skip
"""Oldest need not come first; the last one was given up, since nobody was at home."""
