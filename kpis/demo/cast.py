"""Those who are waiting right now: a handful of messages written out, so that the first screen shows every kind there is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kpis.demo.customers import Customer
from kpis.demo.organisation import COMPANIES
from kpis.demo.story import THEMES, Said
from kpis.demo.voices import Words, Writer


@dataclass(frozen=True)
class Part:
    """`minutes` ago; of a company or none. `snoozed` for so many hours by somebody who has looked at it."""

    minutes: int
    channel: str
    theme: str
    name: str
    title: str
    text: str
    company: str = ""
    language: str = "en"
    rating: tuple[str, int] | None = None
    product: str = "H4"
    facts: Mapping[str, str] | None = None
    claimed_by: str = ""
    snoozed: int = 0


PARTS: Sequence[Part] = (
    Part(
        441, "support-desk", "seal-leak", "Joakim Hellberg", "Wet counter after every second coffee",
        "This is the third H4 in our studio that does it. After two cups there is about a tablespoon of water under the"
        " machine, always on the left. The rubber seal at the bottom of the tank looks twisted, and it did so when I took it"
        " out of the box.\n\nThe exchange for the first one came quickly, thanks for that, but it leaks in the same place. Is"
        " something known about this batch?",
        company="K-100", facts={"batch": "H4-2231", "order": "O-481207"},
    ),
    Part(
        9, "web-form", "overheating", "Bethan Price", "",
        "A burning smell came from the back of our H6 while it heated up, so I pulled the plug. There is no smoke and nothing"
        " melted that I can see, but we have two small children here. Is it safe to switch on again?",
        rating=("csat5", 1), product="H6 Pro",
    ),
    Part(
        1386, "support-desk", "missing-part", "Solène Martel", "Il manque encore le porte-filtre",
        "Bonjour,\n\nLe carton était bien fermé et la liste dit qu'il y est, mais le porte-filtre manque. C'est la deuxième"
        " fois. Nous ouvrons samedi et sans lui la machine ne sert à rien.\n\nSolène",
        company="K-104", language="fr", facts={"order": "O-480911"},
    ),
    Part(
        1372, "support-desk", "billing", "Derek Osborne", "Old VAT number on our invoice, again",
        "Three months ago you told us that our VAT number had been corrected. This month's invoice for 14 machines shows the old one, and"
        " our accountant has sent it back once more. Who can change this for good?",
        company="K-106", facts={"order": "O-479920"},
    ),
    Part(
        236, "web-form", "steam-praise", "Ylva Norén", "",
        "Ny ångtopp i ett stycke kom i går. Äntligen något man torkar av med en trasa. Tack till den som tänkte på det!",
        language="sv", rating=("csat5", 5),
    ),
    Part(
        312, "web-form", "descale-reminder", "Priscilla Tan", "",
        "I never know when it is time to descale. Could the app count the litres and tell me a week before? No hurry, just a"
        " thought.",
        rating=("csat5", 4),
    ),
    Part(
        1304, "support-desk", "delivery-damage", "Hartmut Vogel", "Paket stand im Regen",
        "Der Fahrer hat geklingelt und war weg, das Paket stand eine Stunde im Regen. Die Maschine läuft, aber die Anleitung ist"
        " Brei und die Seitenwand hat einen Kratzer. Bestellung O-481044. Fotos habe ich.",
        company="K-113", language="de", facts={"order": "O-481044"},
    ),
    Part(
        402, "web-form", "grinder", "Imran Sheikh", "",
        "Is it meant to be this loud? My old H2 was on the same shelf and nobody in the house woke up. Now the baby does, every"
        " morning at ten past six.",
        rating=("csat5", 2),
    ),
    Part(
        468, "support-desk", "seal-leak", "Agnieszka Pohl", "H4 tropft aus dem Tank, Charge 2231",
        "Seit gestern steht morgens Wasser unter der H4. Die Dichtung am Tank sitzt links nicht richtig. Schild: H4-2231. Können"
        " Sie mir eine neue schicken? Einbauen kann ich sie selbst.",
        language="de", facts={"batch": "H4-2231"},
    ),
    Part(
        55, "support-desk", "no-power", "Marta Ibáñez", "Error E4 en plena mañana",
        "La máquina del bar se ha parado con el error E4 y ya no enciende. Somos doce mesas y no hay café. ¿Puede llamarme alguien"
        " hoy? Es urgente.",
        company="K-111", language="es", product="H6 Pro",
    ),
    Part(
        127, "support-desk", "late-delivery", "Colin Marsh", "Ten machines for Monday",
        "Order O-481310 was promised for last Thursday. We move into the new floor on Monday and there is nothing to plug in yet."
        " Tracking has not moved since Friday. Can somebody find it, please?",
        company="K-117", facts={"order": "O-481310"}, claimed_by="jonas@halden.example",
    ),
    Part(
        1500, "stores", "spare-parts", "Leeds shop", "Third customer today for an H2 drip tray",
        "Sold out for months and we have nothing to tell people. Two of them said they would rather repair it than buy a new one."
        " Is there a date?",
        product="H2", snoozed=40,
    ),
    Part(
        2900, "web-form", "wish", "Ottilie Krause", "",
        "Die H4 in Dunkelgrün, und ich kaufe sofort eine zweite für meine Schwester. Nur so eine Idee.",
        language="de", rating=("csat5", 4), snoozed=90,
    ),
)  # fmt: skip


def on_stage(now: datetime) -> Iterator[tuple[Part, Said]]:
    """The cast with their words, as the channels are given them."""
    companies = {company.external_id: company for company in COMPANIES}
    for number, part in enumerate(PARTS, start=1):
        host = f"{part.company.lower()}.example" if part.company else "post.example"
        email = f"guest-{number}@{host}"
        customer = Customer(
            f"C-{2000 + number}", email, Writer(part.name, part.language, "usual"), companies.get(part.company)
        )
        yield (
            part,
            Said(
                now - timedelta(minutes=part.minutes),
                part.channel,
                THEMES[part.theme],
                customer,
                Words(part.title, part.text),
                part.language,
                part.rating,
                product=part.product,
                facts=part.facts or {},
                is_cast=True,
            ),
        )
