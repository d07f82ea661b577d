"""The improvements Halden works on: what for, by whom, what each should move, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from kpis.demo.story import NEW_APP, NEW_BURRS, NEW_CARD, NEW_CARTON, NEW_TIP


class Remark(NamedTuple):
    """What its owner writes so many weeks ago, if the verdict is `where` by then."""

    weeks: float
    text: str
    where: str = ""


@dataclass(frozen=True)
class Change:
    """`planned`, `begun`, `shipped`, `checked`, `redone` and `withdrawn` are so many weeks ago, None where it has not come to that.

    `hope` is what `plans.expect` is told, and `record` what the plan says beside it. Whoever looks at `checked` closes it on the
    verdict there is by then, and publishes what worked under `public_title`; at `redone` what did not work goes back to Do. `holds` is the share of
    those asked four weeks later who say that it stayed fixed.
    """

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
    redone: float | None = None
    withdrawn: float | None = None
    public_text: str = ""
    public_title: str = ""
    hope: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[str] = ()
    standard: str = ""
    remarks: Sequence[Remark] = ()
    holds: float = 0.92


CHANGES: Final[Sequence[Change]] = (
    Change(
        "Tip of the steam wand from one piece",
        "Milk dries behind the three-part tip, and its spring gets lost in the sink.",
        "corrective", "product-design", "design", "sofia@halden.example", ("steam-bad", "steam-praise"),
        planned=25.5, due=14, begun=23, shipped=NEW_TIP, checked=2.4,
        public_text="Every new machine has a steam tip made from one piece, which wipes clean in seconds. It fits older"
        " machines too: write to us and we send you one.",
        public_title="A steam tip that wipes clean",
        # Stock with the old tip is still sold for two weeks.
        hope={"topic": "steam-wand", "by_percent": 60, "lag_days": 14},
        record={
            "plan": "Turn the tip from one piece of steel, without a spring. Try it in ten kitchens before the tool is ordered.",
            "root_cause": "Three parts leave two gaps, and milk dries in both.",
            "contributors": ["purchasing"],
        },
        steps=("Draw the tip", "Try it in ten kitchens for a month", "Order the tool", "Fit it in assembly"),
        standard="Nothing that touches milk has a gap that no brush reaches. Holds for every new drawing, and is on the check list"
        " of design reviews.",
    ),
    Change(
        "Stronger carton with corner pads",
        "One delivery in twenty arrives with a dent, and most of these cartons were soft or soaked.",
        "corrective", "logistics", "logistics", "jonas@halden.example", ("delivery-damage", "delivery-good"),
        planned=21, due=11, begun=17, shipped=NEW_CARTON, checked=1.3,
        public_text="Your machine now travels in a double-walled carton with padded corners that keeps out the rain.",
        public_title="A carton that keeps its corners",
        hope={"topic": "delivery-damage", "measure": "rate", "exposure": "units_shipped", "by_percent": 50},
        record={
            "plan": "Change to a double-walled carton with a coated outside and four pads of moulded paper. Nothing else about the"
            " way of a parcel changes meanwhile, so that we see what the carton does.",
            "causes": "material: single wall, which gives way at the corners\nmaterial: outside not coated, soft after an hour of"
            " rain\nmethod: drop test done with an empty machine\nenvironment: parcels left outside the door",
            "whys": "The machine has a dent because the carton gave way at the corner.\nIt gave way because its single wall carries"
            " 9 kg at most.\nIt was chosen for the H2, which weighs 7 kg.\nNobody asked again when the H4 came, with 11 kg.\nThe"
            " release of a product does not ask for its packaging.",
            "root_cause": "The packaging was released for the H2 and never again.",
            "contributors": ["purchasing", "quality"],
            "needs_approval": True,
        },
        steps=("Drop test with a full machine", "Order 6,000 cartons", "Show the packing tables how the pads go in", "Use up the old stock"),
        standard="Packaging is released with every product, by a drop test with the full machine. Also done for the H6 Pro.",
    ),
    Change(
        "Pairing that tries again by itself (app 4.2)",
        "The app gives up after one lost packet, and people pair again every morning.",
        "corrective", "app", "design", "daniel@halden.example", ("app-pairing",),
        planned=20, due=13, begun=18, shipped=NEW_APP, checked=3.5,
        public_text="From version 4.2 on, the app finds your machine again by itself after it has lost it.",
        public_title="The app finds your machine again",
        hope={"topic": "app-pairing", "by_percent": 50},
        record={
            "plan": "Try again three times, with a longer pause each time, before the app says that the machine is lost.",
            "root_cause": "One lost packet ends the connection, and nothing starts it anew.",
        },
        steps=("Write the retries", "Run it for a week on 20 telephones", "Release 4.2"),
        standard="A lost packet is no lost machine: every connection of the app tries three times.",
        holds=0.8,
    ),
    Change(
        "Descaling card in every box",
        "The guide stops at step four. A card with five pictures may be all that is needed.",
        "corrective", "repair", "service", "rosa@halden.example", ("descaling",),
        planned=15, due=12, begun=13, shipped=NEW_CARD, redone=1.2,
        public_text="There is now a card with five pictures in every box, and the same card on our pages to print.",
        hope={"topic": "descaling", "by_percent": 40},
        record={"plan": "Five pictures on one card, in every box and with every descaler. No words, so no translation."},
        steps=("Draw the card", "Print 8,000", "Put it on our pages"),
        remarks=(
            Remark(
                2.1,
                "The card makes more people descale, and they all end where the guide in the display ends: more write to us about it"
                " since, not fewer. It is the guide that has to be mended first.",
                "worse",
            ),
        ),
        holds=0.5,
    ),
    Change(
        "Quieter burr set from a second supplier",
        "The grinder is the loudest of its class. The second supplier's burrs measure 4 dB less.",
        "corrective", "purchasing", "sourcing", "wei@halden.example", ("grinder",),
        planned=18, due=8, begun=14, shipped=NEW_BURRS,
        public_text="New machines grind with a quieter set of burrs. Ask us if you would like it in yours.",
        hope={"topic": "grinder", "measure": "rate", "exposure": "units_shipped", "by_percent": 30},
        record={
            "plan": "Fit the second supplier's burrs in every new machine, and offer them as a spare part.",
            "contributors": ["quality"],
        },
        steps=("Measure 30 sets", "Agree on the price", "Fit them from Monday on"),
        remarks=(
            Remark(
                0.4,
                "People say it as often as before. Most who write own older machines, so a small effect would be hidden for long:"
                " we look once more after twelve weeks, and do not order more until then.",
                "unclear",
            ),
        ),
    ),
    Change(
        "Re-seat every tank seal of batch H4-2231",
        "Seals of this batch were pressed in with a worn tool and sit twisted on the left. All stock is checked by hand"
        " before it ships, and affected customers get a new tank.",
        "containment", "quality", "quality", "priya@halden.example", ("seal-leak",),
        planned=1.7, due=-1.4, begun=0.8,
        hope={"topic": "seal-leak", "by_percent": 80},
        record={
            "plan": "Stop what is packed, re-seat by hand, and send a tank to whoever has written. Ends when the new tool presses.",
            "causes": "machine: pressing tool worn on the left\nmeasurement: nobody counts what the tool has pressed\nmethod: sample"
            " of one in two hundred looks at the front only",
            "whys": "Water runs out because the seal sits twisted.\nIt was pressed in at an angle.\nThe tool is worn on its left"
            " side.\nIt was used for 40,000 seals and is good for 25,000.\nNothing says how many it has done.",
            "root_cause": "The pressing tool wears unseen.",
            "contributors": ["assembly", "logistics"],
            "needs_approval": True,
        },
        steps=("Stop the stock of batch H4-2231", "Re-seat 1,150 machines", "Send tanks to whoever wrote", "Check one in ten again"),
    ),
    Change(
        "New pressing tool with a wear counter",
        "A worn tool went unnoticed for a whole batch. The tool has to say itself when it is due.",
        "preventive", "assembly", "production", "karl@halden.example", ("seal-leak",),
        planned=0.6, due=-9,
        hope={"topic": "seal-leak", "by_percent": 90},
        steps=("Order the tool", "Fit the counter", "Train both shifts"),
    ),
    Change(
        "Check VAT numbers when an order is placed",
        "One invoice in thirty goes out with an old or mistyped VAT number, often to the same customers again.",
        "corrective", "repair", "service", "paul@halden.example", ("billing",),
        planned=8, due=-2, begun=6.5, shipped=4.4,
        public_text="The shop now checks your VAT number while you order, and tells you at once if it is not known.",
        hope={"topic": "billing", "measure": "rate", "exposure": "orders", "by_percent": 50},
        record={"plan": "Ask the register of the tax office while the order is placed, and keep what it answered with the order."},
        steps=("Ask the register", "Say it in five languages", "Check the addresses we have"),
    ),
    Change(
        "Weigh every parcel before it is closed",
        "A missing portafilter weighs 480 g: a scale at the packing table would notice.",
        "preventive", "logistics", "logistics", "leila@halden.example", ("missing-part",),
        planned=6, due=-3, begun=3,
        hope={"topic": "missing-part", "by_percent": 70},
        steps=("Buy two scales", "Write down what each parcel weighs", "Refuse what is too light"),
    ),
    Change(
        "Descaling reminder by litres in the app",
        "People forget to descale. The machine counts its litres already, the app could tell.",
        "corrective", "app", "design", "daniel@halden.example", ("descale-reminder",),
        planned=10, due=-8,
        hope={"topic": "descale-reminder", "by_percent": 60},
    ),
    Change(
        "Hand parcels over in person only",
        "Parcels left in the rain. The courier offers delivery by signature for two euros more.",
        "containment", "logistics", "logistics", "leila@halden.example", ("delivery-damage", "late-delivery"),
        planned=19, due=12, begun=18, withdrawn=15,
        remarks=(Remark(15.1, "Nobody is at home: every second parcel went back to the depot. We leave it."),),
    ),
)  # fmt: skip
"""Oldest need not come first; the last one was given up, since nobody was at home."""
