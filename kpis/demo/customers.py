"""The three hundred people who buy from Halden and say what they think."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from kpis.demo.organisation import COMPANIES, Company
from kpis.demo.voices import STYLES, Writer

SHARES: Mapping[str, int] = {"en": 60, "de": 16, "fr": 11, "sv": 8, "es": 5}
COUNT = 300
_AT_WORK = 0.4
_FIRST: Mapping[str, str] = {
    "en": "Maya Owen Grace Liam Nadia Theo Ruth Callum Ines Harriet Sam Aisha Ben Chloe Dev Ewan Fiona Gareth Hana Isla Jack"
    " Kofi Lucy Marcus Niamh Oscar Poppy Quentin Rachel Sunil Tessa Uma Victor Wendy Yusuf Zoe",
    "de": "Anna Bernd Clara Dirk Elif Felix Greta Hannes Ilse Jörg Katrin Lukas Miriam Norbert Petra Rolf Silke Tobias Ute Volker",
    "fr": "Amélie Bruno Chantal Didier Élodie Fabien Gaëlle Hugo Inès Jérôme Karim Léa Manon Nicolas Odile Pascal Sylvie Yann",
    "sv": "Astrid Bengt Cecilia David Elin Fredrik Gunilla Henrik Ingrid Johan Karin Lars Maja Niklas Olle Petra Sara Tove",
    "es": "Alba Bruno Carmen Diego Elena Fernando Gloria Hugo Irene Javier Lucía Manuel Nuria Óscar Pilar",
}
_LAST: Mapping[str, str] = {
    "en": "Collins Brennan Hughes Patel Whitfield Osborne Tran Marsh Doyle Abara Fletcher Quinn Rowe Sharma Tully Underhill"
    " Vance Walsh Yates Hargreaves Mensah Pike Larkin Stone",
    "de": "Becker Winter Krause Vogt Lehmann Aydin Schuster Hofer Brandl Neumann Pohl Seidel Kramer Thiel",
    "fr": "Martel Roussel Girard Lefort Benali Charpentier Picard Vidal Renaud Colin Faure Marchand",
    "sv": "Ekström Holm Sjöberg Lund Norén Dahlin Åberg Wallin Forsman Bergman Hed Lilja",
    "es": "Campos Herrera Molina Prieto Santos Vega Crespo Lozano Pardo Rivas",
}
_PLAIN = str.maketrans("åäâàéèêëíîïóôöøúüùçñÅÄÉÖÜÓ", "aaaaeeeeiiioooouuucnAAEOUO")


@dataclass(frozen=True)
class Customer:
    """Known by their number where they bought, by their address in a form."""

    number: str
    email: str
    writer: Writer
    company: Company | None


def everybody(chance: Random) -> dict[str, list[Customer]]:
    """Of each language its share; the addresses end where no mail can go (RFC 2606)."""
    found: dict[str, list[Customer]] = {}
    seen: set[str] = set()
    for language, share in SHARES.items():
        firms = [company for company in COMPANIES if company.language == language]
        people = found.setdefault(language, [])
        while len(people) < COUNT * share // 100:
            name = f"{_any(_FIRST[language], chance)} {_any(_LAST[language], chance)}"
            if name in seen:
                continue
            seen.add(name)
            company = chance.choice(firms) if firms and chance.random() < _AT_WORK else None
            style = chance.choices(list(STYLES), list(STYLES.values()))[0]
            host = f"{company.external_id.lower()}.example" if company else "post.example"
            email = f"{name.lower().replace(' ', '.').translate(_PLAIN).lower()}@{host}"
            people.append(Customer(f"C-{1000 + len(seen)}", email, Writer(name, language, style), company))
    return found


def _any(words: str, chance: Random) -> str:
    return chance.choice(words.split())


def pick(people: Sequence[Customer], chance: Random) -> Customer:
    """A few write far more often than the rest."""
    return people[int(len(people) * chance.random() ** 1.6)]
