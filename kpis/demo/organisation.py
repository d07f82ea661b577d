"""Who works at Halden Coffee, in which teams, by which topics and rules, and which companies buy from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.accounts.permissions import Actor
from intake import surveys
from intake.models import Account, Channel, Form
from intake.questions import Definition, Option, Question
from triage import organisation, patterns, rulebook
from triage.models import Topic


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    teams: Sequence[str]
    role: str = Role.AGENT


@dataclass(frozen=True)
class Node:
    """A topic, the team it belongs to, and those below it."""

    slug: str
    name: str
    team: str
    keywords: Sequence[str] = ()
    description: str = ""
    below: Sequence["Node"] = field(default_factory=tuple)


@dataclass(frozen=True)
class Company:
    external_id: str
    name: str
    segment: str
    value: int
    language: str = "en"


TEAMS: Sequence[tuple[str, str, str, int]] = (
    ("quality", "Quality", "quality", 8),
    ("logistics", "Logistics", "logistics", 24),
    ("assembly", "Assembly line 2", "production", 24),
    ("product-design", "Product design", "design", 240),
    ("app", "App and electronics", "design", 72),
    ("purchasing", "Purchasing", "sourcing", 120),
    ("shop", "Shop and marketing", "sales-marketing", 96),
    ("repair", "Repair and accounts", "service", 24),
    # Scores without a word are read every other week.
    ("surveys", "Survey reading", "service", 336),
)
"""Slug, name, production stage, and hours until the first decision."""
DESK_HOURS = 120

_DESK = ["triage-desk", *(slug for slug, *_ in TEAMS)]

ADA = Person("Ada Okafor", "ada@halden.example", _DESK, Role.MANAGER)
MINA = Person("Mina Brandt", "mina@halden.example", _DESK)
TOMAS = Person("Tomas Eklund", "tomas@halden.example", _DESK)
PRIYA = Person("Priya Raman", "priya@halden.example", ["quality"], Role.LEAD)
PEOPLE: Sequence[Person] = (
    ADA,
    MINA,
    TOMAS,
    PRIYA,
    Person("Erik Sandell", "erik@halden.example", ["quality", "assembly"]),
    Person("Jonas Weber", "jonas@halden.example", ["logistics"], Role.LEAD),
    Person("Leila Haddad", "leila@halden.example", ["logistics"]),
    Person("Karl Nyman", "karl@halden.example", ["assembly"], Role.LEAD),
    Person("Sofia Lind", "sofia@halden.example", ["product-design"], Role.LEAD),
    Person("Daniel Kim", "daniel@halden.example", ["app"], Role.LEAD),
    Person("Wei Chen", "wei@halden.example", ["purchasing"], Role.LEAD),
    Person("Camille Laurent", "camille@halden.example", ["shop"], Role.LEAD),
    Person("Rosa Delgado", "rosa@halden.example", ["repair"], Role.LEAD),
    Person("Paul Fischer", "paul@halden.example", ["repair"]),
    Person("Helena Dahl", "helena@halden.example", ["triage-desk", "surveys"], Role.MANAGER),
)

TOPICS: Sequence[Node] = (
    Node("hardware", "Hardware", "quality", below=(
        Node("seal-leak", "Seal leak", "quality", (
            "leak", "leaks", "leaking", "water under the machine", "puddle", "tank seal", "gasket", "dripping", "wet counter",
            "loses water", "undicht", "Dichtung", "Wasser unter der Maschine", "Pfütze", "tropft", "fuite", "fuit", "joint",
            "flaque", "läcker", "läckage", "packning", "vatten under maskinen", "gotea", "fuga", "junta", "charco",
        ), "Water where it should not be: tank seal, hoses, drip tray."),
        Node("overheating", "Overheating", "quality", (
            "burning smell", "smoke", "sparks", "melted", "trips the fuse", "verschmort", "Brandgeruch", "odeur de brûlé",
            "bränd lukt", "huele a quemado",
        ), "Heat, smell or smoke that could harm somebody."),
        Node("grinder", "Grinder", "purchasing", (
            "grinder", "grind", "grinding noise", "louder", "too loud", "burrs", "beans get stuck", "rattles", "wakes",
            "Mahlwerk", "Bohnen", "moulin", "grains", "bruyant", "kvarn", "kvarnen", "bönorna", "molinillo", "ruido", "granos",
        )),
        Node("steam-wand", "Steam wand", "product-design", (
            "steam wand", "steam tip", "milk foam", "froth", "frother", "wand", "Dampfdüse", "Milchschaum", "buse vapeur",
            "mousse de lait", "ångrör", "ångröret", "munstycke", "mjölkskum", "vaporizador", "espuma de leche",
        )),
        Node("brew-temperature", "Brew temperature", "quality", (
            "lukewarm", "not hot enough", "temperature", "cold coffee", "first cup", "sour shots", "lauwarm", "Temperatur",
            "tiède", "ljummet", "tibio", "temperatura",
        )),
        Node("no-power", "Does not start", "assembly", (
            "does not turn on", "won't start", "dead", "pump hums", "error E4", "blank display", "startet nicht",
            "ne démarre pas", "startar inte", "no enciende",
        )),
    )),
    Node("shipping", "Shipping", "logistics", below=(
        Node("delivery-damage", "Damaged on arrival", "logistics", (
            "damaged", "dent", "dented", "box", "carton", "crushed", "soaked", "cracked", "in pieces", "courier left it",
            "in the rain", "packaging", "packed", "beschädigt", "Karton", "zerdrückt", "zerbrochen", "Delle", "im Regen",
            "abîmé", "colis", "carton écrasé", "sous la pluie", "skadad", "kartong", "buckla", "i regnet", "dañada", "caja",
            "aplastada", "bajo la lluvia", "cardboard", "unpacking",
        ), "How a parcel arrives, for better and for worse."),
        Node("missing-part", "Missing part", "logistics", (
            "missing", "was not in the box", "except the portafilter", "portafilter", "filter basket", "accessory bag",
            "packing list", "fehlt", "fehlte", "Siebträger", "Zubehör", "Packliste", "manque", "manquait", "porte-filtre",
            "accessoires", "saknas", "saknades", "filterhållare", "tillbehör", "faltaba", "portafiltro", "accesorios",
        )),
        Node("late-delivery", "Late delivery", "logistics", (
            "late", "delayed", "tracking", "where is my order", "still waiting", "delivery date", "should have been here",
            "day off for the delivery", "you promised", "Sendungsverfolgung", "Lieferung", "verschoben", "Bestellung",
            "livraison", "repoussée", "en retard", "leverans", "leveransen", "försenad", "beställning", "retraso", "pedido",
            "tenía que llegar", "devait arriver",
        )),
    )),
    Node("software", "Software", "app", below=(
        Node("app-pairing", "Pairing", "app", (
            "pairing", "pair", "bluetooth", "wifi", "loses the machine", "connects", "connection", "does not find the machine",
            "koppeln", "Verbindung", "findet Maschine nicht", "appairage", "connexion", "perd la machine", "para ihop",
            "ansluta", "tappar maskinen", "emparejar", "conecta", "pierde la máquina",
        )),
        Node("app-crash", "Crashes", "app", (
            "crash", "crashes", "freezes", "closes itself", "white screen", "stürzt ab", "plante", "kraschar", "se cierra",
        )),
        Node("descale-reminder", "Descaling reminder", "app", (
            "remind me", "reminder", "when to descale", "counted the litres", "message in the app", "erinnern", "Erinnerung",
            "nach Litern", "rappel", "påminnelse", "recordatorio",
        )),
    )),
    Node("after-sales", "After-sales", "repair", below=(
        Node("descaling", "Descaling", "repair", (
            "descaling guide", "descaling light", "descaling programme", "limescale", "descaler", "entkalken", "Entkalkung",
            "Kalklampe", "détartrage", "avkalkning", "avkalkningen", "descalcificar", "step four", "change the water",
        )),
        Node("repair-service", "Repair", "repair", (
            "repair", "repaired", "technician", "workshop", "works like new", "collected", "kept posted", "quick repair",
            "friendly", "warranty", "call back", "came back", "fixed the pump", "Reparatur", "Techniker", "abgeholt",
            "wie neu", "réparation", "technicien", "comme neuve", "reparation", "teknikern", "som ny", "reparación",
            "técnico", "como nueva",
        ), "How a repair went."),
        Node("spare-parts", "Spare parts", "purchasing", (
            "spare part", "spare parts", "out of stock", "sold out", "drip tray for the H2", "milk tube", "seal set",
            "cent ring", "Ersatzteil", "nicht lieferbar", "Dichtungssatz", "pièce détachée", "en rupture", "introuvable",
            "reservdel", "varit slut", "recambio",
        )),
    )),
    Node("accounting", "Accounting", "repair", below=(
        Node("billing", "Invoice", "repair", (
            "invoice", "VAT", "charged twice", "billing", "accountant", "Rechnung", "Umsatzsteuer", "abgebucht", "facture",
            "TVA", "débité", "faktura", "fakturan", "moms", "momsnummer", "factura", "IVA", "cobrado",
        )),
        Node("refund", "Refund", "repair", (
            "refund", "refunded", "returned the machine", "money back", "promised the money", "the return", "Erstattung",
            "Geld zurück", "remboursement", "återbetalning", "reembolso",
        )),
    )),
    Node("range", "Range", "shop", below=(
        Node("web-shop", "Web shop", "shop", (
            "checkout", "web shop", "website", "discount code", "basket empties", "payment", "does not say its height",
            "Warenkorb", "Gutschein", "panier", "code promo", "varukorg", "rabattkod", "carrito",
        )),
        Node("manual", "Manual", "product-design", (
            "manual", "instructions", "quick start", "print is small", "page talks about", "Anleitung", "mode d'emploi",
            "bruksanvisning", "instrucciones",
        )),
        Node("wish", "Wish for a product", "product-design", (
            "would love", "please make", "bigger tank", "colour", "in white", "in cream", "dark green", "cup warmer",
            "own recipes", "longer cable", "switch off the beep", "without the milk system", "decaf", "wünsche mir",
            "größerer Wassertank", "Piepton", "plus grand", "couper le bip", "j'aimerais", "önskar", "större tank", "pipet",
            "ojalá", "depósito más grande",
        )),
    )),
)  # fmt: skip


def _when(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


_DANGER = (
    r"\b(burning smell|smoke|smoking|sparks?|sparked|electric shock|melted|scald\w*|qualmt|verschmort|brandgeruch|"
    r"funken|odeur de brûlé|fumée|étincelles?|bränd lukt|röklukt|gnistor|huele a quemado|humo|chispas)\b"
)

RULES: Sequence[tuple[str, dict[str, Any], Sequence[dict[str, Any]]]] = (
    (
        "Danger first",
        {"any": [_when("text", "matches", _DANGER), _when("title", "matches", _DANGER)]},
        [
            {"verb": "route", "team": "quality"},
            {"verb": "tag", "topic": "overheating"},
            {"verb": "severity", "value": 1},
        ],
    ),
    (
        "Batch H4-2231 goes to Quality",
        {
            "all": [
                _when("entity.batch", "is", "H4-2231"),
                _when("sentiment", "is_not", "pos"),
            ]
        },
        [
            {"verb": "route", "team": "quality"},
            {"verb": "tag", "topic": "seal-leak"},
            {"verb": "severity", "value": 2},
        ],
    ),
    (
        "Invoices and refunds",
        {"all": [_when("topic", "in", ["billing", "refund"]), _when("channel", "is_not", "app-store")]},
        [{"verb": "route", "team": "repair"}],
    ),
    (
        "Unhappy after a repair",
        {"all": [_when("channel", "is", "after-repair"), _when("rating", "lte", 2)]},
        [{"verb": "route", "team": "repair"}, {"verb": "severity", "value": 2}],
    ),
    (
        "Reviews in the app store",
        {"all": [_when("channel", "is", "app-store"), _when("topic", "in", ["app-pairing", "app-crash"])]},
        [{"verb": "route", "team": "app"}],
    ),
    (
        "Large customers who are unhappy",
        {"all": [_when("customer_value", "gte", 20_000), _when("sentiment", "is", "neg")]},
        [{"verb": "severity", "value": 2}],
    ),
    (
        "Broken or incomplete on arrival",
        {"all": [_when("topic", "in", ["delivery-damage", "missing-part"]), _when("sentiment", "is_not", "pos")]},
        [{"verb": "route", "team": "logistics"}],
    ),
    (
        "Scores without a word",
        {"all": [_when("rating", "exists", True), {"not": _when("text", "exists", True)}]},
        [{"verb": "route", "team": "surveys"}, {"verb": "severity", "value": 4}],
    ),
    (
        "Wishes can wait",
        {"all": [_when("topic", "in", ["wish", "descale-reminder"]), _when("sentiment", "is_not", "neg")]},
        [{"verb": "severity", "value": 4}],
    ),
)
"""Name, condition and verbs, in the order they are tried."""

PATTERNS: Sequence[Mapping[str, Any]] = (
    {"name": "Serial plate of an H4", "kind": "batch", "expression": r"H4[- ]?\d{4}", "product": "H4"},
    {"name": "Serial plate of an H2", "kind": "batch", "expression": r"H2[- ]?\d{4}", "product": "H2"},
    {"name": "Order number", "kind": "order", "expression": r"O-\d{6}"},
    {"name": "H4", "kind": "product", "aliases": ["H4", "Halden H4", "H 4"]},
    {"name": "H2", "kind": "product", "aliases": ["H2", "Halden H2", "H 2"]},
    {"name": "H6 Pro", "kind": "product", "aliases": ["H6", "H6 Pro", "Halden H6"]},
    {
        "name": "Version of the app",
        "kind": "version",
        "expression": r"(?:version|app) (\d{1,2}\.\d{1,2}(?:\.\d{1,3})?)",
    },
    {"name": "Error code", "kind": "error", "expression": r"E\d{1,2}"},
)
"""How products, batches and orders are written, in the order in which they are looked for."""

COMPANIES: Sequence[Company] = (
    Company("K-100", "Brandt Studio", "Office", 12_400, "sv"),
    Company("K-101", "Nordlys Hotels", "Hospitality", 86_000),
    Company("K-102", "Kaffeehaus Linde", "Hospitality", 31_500, "de"),
    Company("K-103", "Björk & Berg advokater", "Office", 22_800, "sv"),
    Company("K-104", "Boulangerie Moreau", "Hospitality", 9_700, "fr"),
    Company("K-105", "Atelier Dubois", "Office", 4_300, "fr"),
    Company("K-106", "Harbour Accountants", "Office", 48_000),
    Company("K-107", "Pixel & Bean", "Hospitality", 17_900),
    Company("K-108", "Ortiz Arquitectos", "Office", 6_800, "es"),
    Company("K-109", "Steinbach Maschinenbau", "Office", 54_200, "de"),
    Company("K-110", "Little Owl Nursery", "Office", 1_900),
    Company("K-111", "Casa Azul", "Hospitality", 13_600, "es"),
    Company("K-112", "Moss & Daughters", "Retail", 26_400),
    Company("K-113", "Elektro Vogel", "Retail", 71_000, "de"),
    Company("K-114", "Kök & Kaffe Malmö", "Retail", 38_700, "sv"),
    Company("K-115", "Maison Lenoir", "Retail", 29_300, "fr"),
    Company("K-116", "Quay Street Dental", "Office", 3_200),
    Company("K-117", "Redbrick Coworking", "Office", 41_500),
    Company("K-118", "Praxis Dr. Sommer", "Office", 2_600, "de"),
    Company("K-119", "The Night Train", "Hospitality", 19_800),
)

_WORDS = ("Bad", "Poor", "Fair", "Good", "Great")
AFTER_REPAIR = Definition(
    title="Your repair",
    intro="Your machine is back. Two questions, and we read every answer.",
    questions=(
        Question(
            "rating",
            "scale",
            "How satisfied are you with the repair?",
            scale="csat5",
            faces=True,
            options=tuple(Option(str(step), word) for step, word in enumerate(_WORDS, start=1)),
            required=True,
        ),
        Question("text", "text", "What should we know?", place="text", long=True),
        Question("contact", "contact", "How can we reach you?", asks=("name", "email")),
        Question("consent", "consent", "You may write to me about this."),
        Question("repair", "context", "Repair number"),
    ),
)
RECOMMEND = Definition(
    title="Would you recommend us?",
    intro="One number is enough.",
    questions=(
        Question(
            "rating",
            "scale",
            "How likely are you to recommend Halden to a friend?",
            scale="nps",
            low_label="Not at all",
            high_label="Certainly",
            required=True,
        ),
        Question("text", "text", "Why?", place="text", long=True),
        Question("contact", "contact", "How can we reach you?", asks=("name", "email")),
        Question("consent", "consent", "You may write to me about this."),
    ),
)

PROGRAMS: Mapping[str, tuple[str, str]] = {
    "support-desk": ("Support desk", "rest_api"),
    "app-store": ("App store reviews", "csv_file"),
    "stores": ("Stores", "rest_api"),
}
"""Channels beside the forms: slug, name and kind."""


def found(*, by: Actor, at: datetime) -> None:
    """Set Halden up in an empty portal, as an administrator would."""
    for slug, name, stage, hours in TEAMS:
        organisation.create_team({"slug": slug, "name": name, "stage": stage, "triage_hours": hours}, by=by)
    desk = {"triage_hours": DESK_HOURS, "stage": "service"}
    organisation.change_team(Team.objects.get(is_catch_all=True), desk, by=by)
    for person in PEOPLE:
        given = {"email": person.email, "name": person.name, "role": str(person.role), "teams": list(person.teams)}
        organisation.invite(given, by=by, at=at)
    for root in TOPICS:
        _plant(root, None, by)
    for place, (name, when, then) in enumerate(RULES, start=1):
        definition = {"version": 1, "when": when, "then": list(then)}
        rulebook.create_rule({"name": name, "position": 10 * place, "definition": definition}, by=by, at=at)
    for place, written in enumerate(PATTERNS, start=1):
        patterns.create({**written, "position": 10 * place}, by=by, at=at)
    # Companies come from another system; the portal has no verb that makes one.
    Account.objects.bulk_create(
        Account(external_id=each.external_id, name=each.name, segment=each.segment, value=each.value, currency="EUR")
        for each in COMPANIES
    )
    for slug, (name, kind) in PROGRAMS.items():
        Channel.objects.create(slug=slug, name=name, kind=kind)
    surveys.create_form("after-repair", name="After a repair", definition=AFTER_REPAIR)
    surveys.create_form("recommend", name="Would you recommend us?", definition=RECOMMEND)


def let_in(owner: User) -> None:
    """The owner joins every team, so that the queue of their own is full as well."""
    everyone = [team.slug for team in Team.objects.order_by("pk")]
    organisation.change_person(owner, {"teams": everyone}, by=Actor(user=owner))


def forms() -> dict[str, Form]:
    return {form.slug: form for form in surveys.published_forms()}


def _plant(node: Node, parent: Topic | None, by: Actor) -> None:
    given = {
        "slug": node.slug,
        "name": node.name,
        "team": node.team,
        "description": node.description,
        "keywords": list(node.keywords),
        "parent": parent.slug if parent else "",
    }
    topic = organisation.create_topic(given, by=by)
    for child in node.below:
        _plant(child, topic, by)
